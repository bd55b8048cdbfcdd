// What happens, told by the service while it happens. The stream is read by fetch: an EventSource cannot send a header, and a
// token in an address would stand in logs.

import { send } from "./api.js";

const shortestPause = 1000;
const longestPause = 15_000;
// The service says something at least every 15 s.
const silence = 40_000;

/**
 * Reads events until `signal` is aborted, and begins again when the stream ends. `onEvent(name, data)` gets each one,
 * `onState(isOpen)` whether they come.
 */
export async function follow(signal, onEvent, onState) {
  let pause = shortestPause;
  while (!signal.aborted) {
    const attempt = new AbortController();
    const stop = () => attempt.abort();
    signal.addEventListener("abort", stop);
    let timer = setTimeout(stop, silence);
    try {
      const response = await send("GET", "zt/events", { signal: attempt.signal });
      onState(true);
      pause = shortestPause;
      const parser = new EventParser(onEvent);
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      for (;;) {
        const { value, done } = await reader.read();
        if (done) break;
        clearTimeout(timer);
        timer = setTimeout(stop, silence);
        parser.take(value);
      }
    } catch (error) {
      if (error.status === 401) return;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", stop);
      attempt.abort();
    }
    if (signal.aborted) return;
    onState(false);
    await new Promise((resolve) => setTimeout(resolve, pause));
    pause = Math.min(longestPause, pause * 2);
  }
}

/** Cuts a stream of server-sent events: https://html.spec.whatwg.org/multipage/server-sent-events.html, section 9.2.6. */
export class EventParser {
  constructor(onEvent) {
    this.onEvent = onEvent;
    this.rest = "";
    this.name = "";
    this.data = [];
  }

  take(text) {
    const lines = (this.rest + text).split("\n");
    this.rest = lines.pop();
    for (const line of lines) this.line(line.endsWith("\r") ? line.slice(0, -1) : line);
  }

  line(line) {
    if (line === "") {
      if (this.data.length > 0) this.onEvent(this.name || "message", JSON.parse(this.data.join("\n")));
      this.name = "";
      this.data = [];
      return;
    }
    const colon = line.indexOf(":");
    if (colon === 0) return;
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(line[colon + 1] === " " ? colon + 2 : colon + 1);
    if (name === "event") this.name = value;
    if (name === "data") this.data.push(value);
  }
}
