// A frame that exists nowhere, and what rules would do with it.

import { get, networkPath, post } from "./api.js";
import { onSubmit } from "./dialogs.js";
import { announce, checkbox, choice, element, field, textInput } from "./dom.js";
import { nameOf } from "./format.js";

const protocols = [
  ["tcp", "TCP"], ["udp", "UDP"], ["icmp", "ICMP"], ["icmp6", "ICMP for IPv6"], ["arp", "ARP"], ["", "no protocol"],
];
const outcomes = {
  held: "holds", failed: "does not hold", notApplicable: "cannot be asked of this frame, and so does not hold",
  leftToReceiver: "left to the other member, whose tag is not known here",
  passedOver: "not asked, since one before it does not hold", notTaken: "not taken", decided: "decides",
  wentOn: "done, and the table goes on", dropSkipped: "left to the other member, who knows its tags",
};

/** A text whose parts in grave accents are code. */
function withCode(text) {
  return text.split("`").map((part, index) => (index % 2 === 1 ? element("code", {}, part) : part));
}

function stepItem(step) {
  const place = step.line ? `line ${step.line}: ` : "";
  return element(
    "li", { class: step.outcome }, place, element("code", {}, step.text), ` ${outcomes[step.outcome] ?? step.outcome}`);
}

function side(title, one) {
  return element(
    "section", { class: "side" }, element("h4", {}, title), element("p", {}, withCode(one.text)),
    one.copies.map((copy) => element("p", { class: "hint" }, `A copy of ${copy.length} bytes goes to ${copy.to}.`)),
    one.tables.map((table) => element(
      "details", { open: table.steps.some((step) => step.outcome === "decided") },
      element("summary", {}, table.name ?? "Rules of the network"),
      element("ol", { class: "steps" }, table.steps.map(stepItem)))));
}

/** The panel of a network's rules in which frames are tried. `source` gives the text. */
export function trialPanel(network, source) {
  let members = [];
  const from = element("select");
  const to = element("select");
  const protocol = element("select", {}, protocols.map(([value, word]) => element("option", { value }, word)));
  const [sender, receiver, port, ownPort, flags] = [1, 2, 3, 4, 5].map(() => textInput({ class: "code" }));
  const isFirst = checkbox();
  const result = element("div", { class: "verdict", hidden: true });
  const problem = element("p", { class: "problem", role: "alert", hidden: true });
  const form = element(
    "form", { novalidate: true },
    element("div", { class: "columns" },
      field("From", from), field("To", to),
      field("Source address", sender, "IPv4 or IPv6"), field("Destination address", receiver, "IPv4 or IPv6"),
      field("Protocol", protocol), field("Destination port", port, "Of TCP and UDP"), field("Source port", ownPort, "Of TCP and UDP"),
      field("TCP flags", flags, "Such as syn or syn,ack")),
    choice("The first frame of the two", isFirst, "The sender has not seen the receiver's tags yet."),
    problem, element("div", { class: "actions" }, element("button", { type: "submit" }, "Try the frame")));

  // The first address of a member goes into a field that has none of the person's.
  function fill(select, input) {
    const member = members.find((one) => one.address === select.value);
    if (input.dataset.changed !== "yes") input.value = member?.ipAssignments[0] ?? "";
  }
  for (const [select, input] of [[from, sender], [to, receiver]]) {
    select.addEventListener("change", () => fill(select, input));
    input.addEventListener("input", () => { input.dataset.changed = input.value === "" ? "no" : "yes"; });
  }

  function party(select, other) {
    const member = members.find((one) => one.address === select.value);
    if (!member) return { address: other };
    return {
      address: member.address, tags: member.tags, capabilities: member.capabilities, addresses: member.ipAssignments,
    };
  }

  onSubmit(form, problem, async () => {
    result.hidden = true;
    const frame = {};
    const set = (key, value) => { if (value.trim() !== "") frame[key] = value.trim(); };
    set("source", sender.value);
    set("destination", receiver.value);
    if (protocol.value === "arp") frame.etherType = "arp";
    else set("protocol", protocol.value);
    set("destinationPort", port.value);
    set("sourcePort", ownPort.value);
    set("tcpFlags", flags.value);
    const answer = await post("zt/rules/test", {
      source: source(), from: party(from, "1111111111"), to: party(to, "2222222222"), frame, firstContact: isFirst.checked,
    });
    const word = answer.delivered ? "Delivered" : "Not delivered";
    result.replaceChildren(
      element("h3", {}, element("span", { class: `chip ${answer.delivered ? "ok" : "bad"}` }, word)),
      side("The sender", answer.outbound), side("The receiver", answer.inbound));
    result.hidden = false;
    announce(`${word}. The sender: ${answer.outbound.text}. The receiver: ${answer.inbound.text}.`);
  });

  function options(select, standIn) {
    const wanted = select.value;
    const all = [["", standIn], ...members.map((one) => [one.address, `${nameOf(one, "(no name)")} ${one.address}`])];
    const now = [...select.options].map((option) => `${option.value} ${option.text}`).join("\n");
    if (now === all.map(([value, word]) => `${value} ${word}`).join("\n")) return;
    select.replaceChildren(...all.map(([value, word]) => element("option", { value, dir: "auto" }, word)));
    select.value = members.some((one) => one.address === wanted) ? wanted : "";
  }

  return {
    root: element("section", { class: "panel" }, element("h2", {}, "Try a frame"),
      element("p", { class: "hint" }, "The text above decides, saved or not. Nothing is sent."), form, result),
    async refresh() {
      const all = (await get(`unstable/${networkPath(network)}/member`)).data;
      members = all.filter((member) => member.authorized).slice(0, 1000);
      options(from, "a new member");
      options(to, "another new member");
    },
  };
}
