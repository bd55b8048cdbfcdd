// The peers of this node: how each is reached, how fast, and what it runs; and the traffic of the node.

import { cell, element, reconcile, rowHead, setAttribute, setShown, setText, table } from "./dom.js";
import { ago, byteRate, counted, milliseconds } from "./format.js";
import { graph, inWords } from "./graphs.js";
import { peers, reachOf, seriesOf, traffic } from "./samples.js";

const roles = { LEAF: "node", MOON: "root of a moon", PLANET: "root" };
const shownAtOnce = 200;

/** A word for how a peer is reached. */
export function reachChip() {
  const word = element("span", { class: "chip" });
  const detail = element("span", { class: "detail" });
  const whole = element("span", { class: "reach" }, word, detail);
  whole.update = (reach, more = reach.detail) => {
    setText(word, reach.word);
    setAttribute(word, "class", `chip ${reach.kind}`);
    setText(detail, more);
  };
  return whole;
}

function peerRow(peer) {
  const role = element("span", { class: "detail" });
  const reach = reachChip();
  const latency = element("span", { class: "number" });
  const latencyGraph = graph({ words: ([values]) => `Latency in this page's time: ${inWords(values, milliseconds)}` });
  const rate = element("span", { class: "number" });
  const rateGraph = graph({
    kinds: ["received", "sent"],
    words: ([received, sent]) =>
      `Received: ${inWords(received, byteRate)}. Sent: ${inWords(sent, byteRate)}`,
  });
  const release = element("span");
  const heard = element("span", { class: "detail" });
  const row = element(
    "tr", { role: "row" }, rowHead("Peer", element("code", {}, peer.address), role), cell("Path", reach),
    cell("Latency", latency, latencyGraph), cell("Traffic", rate, rateGraph), cell("Version", release, heard));
  row.update = (one) => {
    const own = seriesOf(one.address);
    setText(role, roles[one.role] ?? one.role);
    reach.update(reachOf(one));
    setText(latency, one.latency >= 0 ? milliseconds(one.latency) : "unknown");
    latencyGraph.update([own.latency.values]);
    const [received, sent] = [own.received.values, own.sent.values];
    const isKnown = (received.at(-1) ?? null) !== null;
    setText(rate, isKnown ? byteRate(received.at(-1) + sent.at(-1)) : "measuring…");
    rateGraph.update([received, sent]);
    setText(release, one.versionMajor >= 0 ? one.version : "unknown");
    const time = Math.max(0, ...one.paths.map((path) => path.lastReceive));
    setText(heard, time > 0 ? `heard ${ago(time)}` : "");
  };
  return row;
}

export function peersView() {
  const empty = element("div", { class: "empty", hidden: true },
    element("h2", {}, "No peer yet"),
    element("p", {}, "The node knows nobody. It finds its peers through a root: look at ", element("a", { href: "#/node" }, "This node"),
      " for whether one answers."));
  const { whole, body } = table("Peers", ["Peer", "Path", "Latency", "Traffic", "Version"]);
  const more = element("p", { class: "hint", hidden: true });
  const count = element("p", { class: "lead" });
  const flow = element("div", { class: "flow" });
  const meters = [["received", "Received"], ["sent", "Sent"]].map(([key, title]) => {
    const now = element("strong", { class: "number" });
    const picture = graph({
      width: 320, height: 64, kinds: [key],
      words: ([values]) => `${title}: ${inWords(values, byteRate)}`,
    });
    flow.append(element("section", { class: "meter" }, element("h2", {}, title), now, picture));
    return () => {
      const values = traffic[key].values;
      const last = values.at(-1) ?? null;
      setText(now, last === null ? "measuring…" : byteRate(last));
      picture.update([values]);
    };
  });
  const root = element("div", {}, element("h1", { tabindex: "-1" }, "Peers"), count, flow, whole, more, empty);
  return {
    title: "Peers", root, section: "peers",
    wants: () => true,
    async refresh() {
      for (const draw of meters) draw();
      const all = [...peers().values()];
      const direct = all.filter((peer) => reachOf(peer).kind === "direct").length;
      setText(count, `${counted(all.length, "peer")}, ${direct} of them reached directly. Graphs show what happened while this page was open.`);
      reconcile(body, all.slice(0, shownAtOnce), (peer) => peer.address, peerRow);
      setShown(more, all.length > shownAtOnce);
      setText(more, `${all.length - shownAtOnce} more are not shown.`);
      setShown(empty, all.length === 0);
      setShown(whole, all.length > 0);
    },
  };
}
