// The members of a network: who waits, who is in, and how each is reached.

import { get, memberPath, networkPath, post, remove } from "./api.js";
import { ask, attempt, formDialog, onSubmit, toast } from "./dialogs.js";
import { announce, button, cell, checkbox, choice, copyable, element, field, reconcile, rowHead, setAttribute, setShown, setText, table, textInput, toggle } from "./dom.js";
import { counted, isHex, milliseconds, nameOf, version, wordsOf } from "./format.js";
import { node } from "./node.js";
import { reachChip } from "./peers.js";
import { peers, reachOf } from "./samples.js";

const step = 100;
const settable = ["name", "authorized", "activeBridge", "noAutoAssignIps", "ipAssignments", "tags", "capabilities",
  "remoteTraceTarget", "remoteTraceLevel"];

/** What of a member's record is given back when it is made again. */
export const settableOfMember = (member) =>
  Object.fromEntries(settable.filter((key) => key in member).map((key) => [key, member[key]]));

// Nobody has decided about it yet.
const isWaiting = (member) => !member.authorized && !member.lastAuthorizedTime && !member.lastDeauthorizedTime;
const called = (member) => nameOf(member, member.address);

async function authorize(network, member, isIn) {
  const path = memberPath(network, member.address);
  await post(path, { authorized: isIn });
  toast(isIn ? `${called(member)} is let in` : `${called(member)} is let out`, () => post(path, { authorized: !isIn }));
}

async function forget(network, member) {
  const isSure = await ask({
    title: "Delete the member?",
    text: `${called(member)} (${member.address}) is let out, and its name and addresses are forgotten. `
      + "If it still wants to be on the network, it waits to be let in again.",
    action: "Delete",
  });
  if (!isSure) return;
  await attempt(async () => {
    const path = memberPath(network, member.address);
    await remove(path);
    toast(`${called(member)} is deleted`, () => post(path, settableOfMember(member)));
  });
}

function tagInput(tag, value) {
  return textInput({
    inputmode: "numeric", value: value === undefined ? "" : String(value), placeholder: "none",
    "aria-label": `Value of tag ${tag.id}`,
  });
}

/** Asks for what an administrator says about a member. */
function edit(network, record, member) {
  const name = textInput({ value: member.name ?? "", dir: "auto", maxlength: "255" });
  const addresses = element("textarea", { rows: "3", class: "code", spellcheck: "false", value: member.ipAssignments.join("\n") });
  const bridge = checkbox({ checked: member.activeBridge });
  const none = checkbox({ checked: member.noAutoAssignIps });
  const held = new Map(member.tags);
  const tags = record.tags.map((tag) => ({ id: tag.id, input: tagInput(tag, held.get(tag.id)) }));
  const capabilities = record.capabilities.map((one) => ({
    id: one.id, input: checkbox({ checked: member.capabilities.includes(one.id) }),
  }));
  const content = [
    field("Name", name, "For you alone: members do not see it."),
    field("IP addresses", addresses, "One a line. Each must be inside a route of the network."),
    choice("No addresses of the pools", none), choice("Bridge", bridge, "It passes on frames of others, such as of a LAN behind it."),
  ];
  if (tags.length > 0) {
    content.push(element("fieldset", {}, element("legend", {}, "Tags"),
      tags.map((tag) => field(`Tag ${tag.id}`, tag.input))));
  }
  if (capabilities.length > 0) {
    content.push(element("fieldset", {}, element("legend", {}, "Capabilities"),
      capabilities.map((one) => choice(`Capability ${one.id}`, one.input))));
  }
  formDialog({
    title: `Member ${member.address}`, content, action: "Save",
    async submit() {
      // Values of tags that the network does not define any more stay.
      const values = new Map(held);
      for (const { id, input } of tags) {
        const text = input.value.trim();
        if (text === "") values.delete(id);
        else if (/^\d+$/.test(text) && Number(text) < 2 ** 32) values.set(id, Number(text));
        else throw new Error(`A tag's value is a number from 0 to 4294967295, not “${text}”.`);
      }
      const known = new Set(record.capabilities.map((one) => one.id));
      const path = memberPath(network, member.address);
      await post(path, {
        name: name.value, ipAssignments: wordsOf(addresses.value), activeBridge: bridge.checked, noAutoAssignIps: none.checked,
        tags: [...values],
        capabilities: [
          ...member.capabilities.filter((id) => !known.has(id)),
          ...capabilities.filter((one) => one.input.checked).map((one) => one.id),
        ],
      });
      toast(`${name.value.trim() || member.address} saved`, () => post(path, settableOfMember(member)));
    },
  });
}

function memberRow(network, recordOf) {
  return (first) => {
    let current = first;
    const isIn = toggle("", async (wanted, input) => {
      const isDone = await attempt(() => authorize(network, current, wanted));
      if (!isDone) input.checked = current.authorized;
    });
    const name = element("span", { class: "name", dir: "auto" });
    const chip = element("span", { class: "chip waiting" }, "waiting");
    const addresses = element("span", { class: "code" });
    const reach = reachChip();
    const release = element("span");
    const change = button("Edit", () => edit(network, recordOf(), current), { class: "quiet" });
    const drop = button("Delete", () => forget(network, current), { class: "quiet" });
    const row = element(
      "tr", { role: "row" }, cell("Let in", isIn), rowHead("Member", name, chip, copyable(first.address, "node address")),
      cell("Addresses", addresses), cell("Path", reach), cell("Version", release), cell("", change, drop));
    row.update = (member) => {
      current = member;
      const called = nameOf(member, member.address);
      if (isIn.checked !== member.authorized) isIn.checked = member.authorized;
      setAttribute(isIn, "aria-label", `Let ${called} in`);
      setAttribute(change, "aria-label", `Edit ${called}`);
      setAttribute(drop, "aria-label", `Delete ${called}`);
      setText(name, nameOf(member, "(no name)"));
      setAttribute(name, "class", nameOf(member, "") === "" ? "name unnamed" : "name");
      setShown(chip, isWaiting(member));
      setText(addresses, member.ipAssignments.join("\n") || "–");
      const peer = peers().get(member.address);
      const isOwn = member.address === node().address;
      const found = isOwn ? { kind: "direct", word: "this node", detail: "" } : reachOf(peer);
      const latency = peer?.latency >= 0 ? [milliseconds(peer.latency)] : [];
      reach.update(found, [...latency, found.detail].filter((part) => part !== "").join(", "));
      // What it says now is newer than what it said when it asked.
      setText(release, peer?.versionMajor >= 0 ? peer.version : version(member.vMajor, member.vMinor, member.vRev));
    };
    return row;
  };
}

function joinHelp(id) {
  return [
    element("p", {}, "On the computer that is to be a member:"),
    element("p", { class: "command" }, copyable(`zerotier-cli join ${id}`, "command")),
    element("p", {}, "It then waits here, and you let it in."),
  ];
}

function addForm(network) {
  const address = textInput({ maxlength: "10", class: "code" });
  const problem = element("p", { class: "problem", role: "alert", hidden: true });
  const form = element(
    "form", { class: "line", novalidate: true }, field("Node address", address, "10 hexadecimal digits: its owner sees them by zerotier-cli info"),
    element("button", { type: "submit" }, "Let in"), problem);
  onSubmit(form, problem, async () => {
    const text = address.value.trim().toLowerCase();
    if (!isHex(text, 10)) throw new Error("A node's address has 10 hexadecimal digits.");
    await post(memberPath(network, text), { authorized: true });
    address.value = "";
    toast(`${text} is let in`, () => remove(memberPath(network, text)));
  });
  return form;
}

export function membersPart(network) {
  const id = network.id;
  let record = network;
  let shown = step;
  let known = null;
  let all = [];
  const { whole, body } = table("Members", ["Let in", "Member", "Addresses", "Path", "Version", ""]);
  const count = element("p", { class: "lead" });
  const search = textInput({ type: "search" });
  const finder = field("Find", search);
  const more = button("", () => {
    shown += step;
    draw();
  }, { class: "quiet" });
  const empty = element("div", { class: "empty", hidden: true }, element("h2", {}, "No member yet"), joinHelp(id));
  const help = element("details", { class: "panel" }, element("summary", {}, "How a computer joins"), joinHelp(id),
    element("h3", {}, "Before it asks"), addForm(id));
  const makeRow = memberRow(id, () => record);

  function draw() {
    const words = search.value.trim().toLowerCase();
    const found = words === "" ? all : all.filter((member) =>
      [member.address, member.name ?? "", ...member.ipAssignments].some((text) => text.toLowerCase().includes(words)));
    reconcile(body, found.slice(0, shown), (member) => member.address, makeRow);
    const inside = all.filter((member) => member.authorized).length;
    const waiting = all.filter(isWaiting).length;
    setText(count, `${counted(inside, "member")}${waiting > 0 ? `, ${counted(waiting, "node")} ${waiting === 1 ? "waits" : "wait"} to be let in` : ""}`);
    setShown(count, all.length > 0);
    setShown(whole, found.length > 0);
    setShown(empty, all.length === 0);
    setShown(finder, all.length > 10);
    setShown(more, found.length > shown);
    setText(more, `Show more (${found.length - shown} left)`);
  }
  search.addEventListener("input", draw);

  // A person who does not see the table hears who is new.
  function tell() {
    const waiting = new Set(all.filter(isWaiting).map((member) => member.address));
    if (known) for (const address of waiting) if (!known.has(address)) announce(`Node ${address} waits to be let in`);
    known = waiting;
  }

  return {
    root: element("div", { class: "parts" }, count, finder, whole, more, empty, help),
    wants: (event) => ["network", "member", "peer"].includes(event),
    async refresh(latest) {
      record = latest;
      all = (await get(`unstable/${networkPath(id)}/member`)).data;
      all.sort((a, b) => isWaiting(b) - isWaiting(a) || (a.address < b.address ? -1 : 1));
      tell();
      draw();
    },
  };
}
