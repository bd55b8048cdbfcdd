// What the page saw of peers and traffic while it was open: some minutes, in this page's memory alone.

import { get, text } from "./api.js";

// Five minutes, if a sample is taken every five seconds.
const length = 60;
const mostPeers = 2000;

/** The last samples of one thing; null where nothing was known. */
class Series {
  values = [];

  add(value) {
    this.values.push(value);
    if (this.values.length > length) this.values.shift();
  }
}

/** A counter's speed, out of what it says at two moments. */
class Rate extends Series {
  count(total, time) {
    let rate = null;
    // A counter begins anew with its process.
    if (this.total !== undefined && total >= this.total && time > this.time) {
      rate = (total - this.total) * 1000 / (time - this.time);
    }
    this.total = total;
    this.time = time;
    this.add(rate);
  }
}

/** What went between this node and all its peers, in bytes a second. */
export const traffic = { received: new Series(), sent: new Series() };
const series = new Map();
let known = new Map();

/** The peers as they are, by address. */
export const peers = () => known;

/** What was seen of a peer. */
export function seriesOf(address) {
  let found = series.get(address);
  if (!found) {
    found = { latency: new Series(), received: new Rate(), sent: new Rate() };
    series.set(address, found);
  }
  return found;
}

/** Asks for the peers; with `isSample`, for the counters too, and takes a sample of everything. */
export async function refreshPeers(isSample) {
  const list = await get("peer");
  known = new Map(list.map((peer) => [peer.address, peer]));
  if (!isSample) return;
  const counts = bytesOfPeers(await text("metrics"));
  const now = performance.now();
  const sum = { received: null, sent: null };
  for (const peer of list.slice(0, mostPeers)) {
    const own = seriesOf(peer.address);
    own.latency.add(peer.latency >= 0 ? peer.latency : null);
    const { rx, tx } = counts.get(peer.address) ?? { rx: 0, tx: 0 };
    own.received.count(rx, now);
    own.sent.count(tx, now);
    for (const key of ["received", "sent"]) {
      const rate = own[key].values.at(-1);
      if (rate !== null) sum[key] = (sum[key] ?? 0) + rate;
    }
  }
  traffic.received.add(sum.received);
  traffic.sent.add(sum.sent);
  for (const address of series.keys()) if (!known.has(address)) series.delete(address);
}

/** Forgets everything: another person may sign in. */
export function forgetSamples() {
  series.clear();
  known = new Map();
  traffic.received = new Series();
  traffic.sent = new Series();
}

const line = /^zerotier_peer_bytes\{direction="(rx|tx)",node_id="([0-9a-f]{10})"\} (\S+)$/gm;

/** Bytes that came from each peer and went to it, out of Prometheus' text. */
function bytesOfPeers(metrics) {
  const result = new Map();
  for (const [, direction, address, value] of metrics.matchAll(line)) {
    const counts = result.get(address) ?? { rx: 0, tx: 0 };
    counts[direction] = Number(value);
    result.set(address, counts);
  }
  return result;
}

/** How a peer is reached, in a word and with more of it. */
export function reachOf(peer) {
  if (!peer) return { kind: "none", word: "not seen", detail: "" };
  const path = peer.paths.find((one) => one.preferred) ?? peer.paths[0];
  if (path) return { kind: "direct", word: "direct", detail: path.address };
  return { kind: "relayed", word: "relayed", detail: "through a root" };
}
