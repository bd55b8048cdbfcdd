// One network: its heading and its four parts, and its settings.

import { get, memberPath, networkPath, post, remove, ServiceError } from "./api.js";
import { addressesPart } from "./addresses.js";
import { ask, onSubmit, toast } from "./dialogs.js";
import { button, checkbox, choice, copyable, element, field, forgetChanges, setAttribute, setShown, setText, setValue, textInput, watchChanges } from "./dom.js";
import { counted, nameOf } from "./format.js";
import { membersPart, settableOfMember } from "./members.js";
import { rulesPart } from "./rules.js";

const parts = [["members", "Members"], ["addresses", "Addresses"], ["rules", "Rules"], ["settings", "Settings"]];
// Fields of a network's record that are given back when it is made again.
const settable = [
  "name", "private", "enableBroadcast", "multicastLimit", "mtu", "v4AssignMode", "v6AssignMode", "routes",
  "ipAssignmentPools", "rules", "capabilities", "tags", "rulesSource", "dns", "authTokens", "remoteTraceTarget",
  "remoteTraceLevel", "certificateTimeoutWindowSize",
];
// So many members are made again one by one.
const mostRestored = 500;

const picked = (record, keys) => Object.fromEntries(keys.filter((key) => key in record).map((key) => [key, record[key]]));

async function deleteNetwork(network) {
  const members = (await get(`unstable/${networkPath(network.id)}/member`)).data;
  const canUndo = members.length <= mostRestored;
  const isSure = await ask({
    title: "Delete the network?",
    text: `${nameOf(network, "The network")} (${network.id}) with ${counted(members.length, "member")} ends: nobody reaches `
      + `anybody on it any more. ${canUndo ? "You can undo it for a moment." : "This cannot be undone."}`,
    action: "Delete",
  });
  if (!isSure) return;
  await remove(networkPath(network.id));
  location.hash = "#/networks";
  toast(`Deleted ${nameOf(network, network.id)}`, canUndo ? async () => {
    await post(networkPath(network.id), picked(network, settable));
    for (const member of members) await post(memberPath(network.id, member.address), settableOfMember(member));
  } : null);
}

function settingsPart(network) {
  let current = network;
  const name = textInput({ maxlength: "127", dir: "auto" });
  const isPrivate = checkbox();
  const broadcast = checkbox();
  const limit = textInput({ inputmode: "numeric" });
  const mtu = textInput({ inputmode: "numeric" });
  const problem = element("p", { class: "problem", role: "alert", hidden: true });
  const form = element(
    "form", { class: "panel", novalidate: true }, element("h2", {}, "Settings"),
    field("Name", name, "Members see it."),
    choice("Private", isPrivate, "You let each member in. Otherwise everybody who knows the ID is a member."),
    choice("Broadcasts reach all members", broadcast, "IPv4 needs it to find members."),
    field("Multicast limit", limit, "Copies of one frame at most; 0 switches multicast off."),
    field("MTU", mtu, "The longest packet in bytes, from 1280 to 10000. 2800 suits nearly everybody."),
    problem, element("div", { class: "actions" }, element("button", { type: "submit", class: "primary" }, "Save")));
  watchChanges(form);
  onSubmit(form, problem, async () => {
    const before = picked(current, ["name", "private", "enableBroadcast", "multicastLimit", "mtu"]);
    await post(networkPath(network.id), {
      name: name.value, private: isPrivate.checked, enableBroadcast: broadcast.checked,
      multicastLimit: limit.value.trim(), mtu: mtu.value.trim(),
    });
    forgetChanges(form);
    toast("Settings saved", () => post(networkPath(network.id), before));
  });
  const danger = element(
    "section", { class: "panel danger-zone" }, element("h2", {}, "Delete"),
    element("p", {}, "The network and what is known of its members go."),
    button("Delete this network…", () => deleteNetwork(current), { class: "danger" }));
  return {
    root: element("div", { class: "parts" }, form, danger),
    wants: (event) => event === "network",
    async refresh(record) {
      current = record;
      setValue(name, record.name);
      setValue(isPrivate, record.private);
      setValue(broadcast, record.enableBroadcast);
      setValue(limit, String(record.multicastLimit));
      setValue(mtu, String(record.mtu));
    },
  };
}

const makers = { members: membersPart, addresses: addressesPart, rules: rulesPart, settings: settingsPart };

/** A network's page, at one of its parts. */
export function networkView(id, partName) {
  const name = element("h1", { tabindex: "-1", dir: "auto", class: "name" }, "…");
  const kind = element("span", { class: "chip" });
  const tabs = element(
    "nav", { "aria-label": "Parts of the network", class: "tabs" },
    element("ul", {}, parts.map(([key, title]) => element("li", {}, element(
      "a", { href: `#/networks/${id}/${key}`, "aria-current": key === partName ? "page" : false }, title)))));
  const place = element("div");
  const gone = element("div", { class: "empty", hidden: true },
    element("h2", {}, "There is no such network"), element("p", {}, "It was deleted, or its ID is another. ",
      element("a", { href: "#/networks" }, "All networks")));
  const present = element("div", {}, tabs, place);
  const root = element(
    "div", {}, element("p", { class: "path" }, element("a", { href: "#/networks" }, "Networks")),
    element("div", { class: "head" }, element("div", {}, name, element("p", { class: "under" }, kind, copyable(id, "network ID")))),
    present, gone);
  let part = null;
  const view = {
    title: "Network", root, section: "networks",
    wants: (event, data) => data.nwid === id && (part?.wants(event) ?? true),
    keep: () => part?.keep?.(),
    async refresh() {
      let record;
      try {
        record = await get(networkPath(id));
      } catch (error) {
        if (!(error instanceof ServiceError) || error.status !== 404) throw error;
      }
      setShown(present, Boolean(record));
      setShown(gone, !record);
      setText(name, record ? nameOf(record, "(no name)") : id);
      view.title = record ? nameOf(record, id) : "No such network";
      setShown(kind, Boolean(record));
      if (!record) return;
      setText(kind, record.private ? "private" : "public");
      setAttribute(kind, "class", record.private ? "chip" : "chip waiting");
      if (!part) {
        part = makers[partName](record);
        place.append(part.root);
      }
      await part.refresh(record);
    },
  };
  return view;
}

export const isPart = (name) => name in makers;
