// This node: who it is, whether it is online, and the networks that it has joined.

import { get, post, remove } from "./api.js";
import { attempt, onSubmit, toast, ask } from "./dialogs.js";
import { button, cell, checkbox, choice, copyable, element, field, reconcile, rowHead, setAttribute, setShown, setText, setValue, table, textInput } from "./dom.js";
import { isHex, nameOf } from "./format.js";

let status = { address: "", online: false, version: "", isController: false };

/** What is known of this node. */
export const node = () => status;

/** Asks the node who it is. */
export async function refreshNode() {
  const [answer, controller] = await Promise.all([get("status"), get("controller").catch((error) => {
    if (error.status === 404 || error.status === 503) return { controller: false };
    throw error;
  })]);
  status = { ...answer, isController: controller.controller === true };
  return status;
}

const states = {
  OK: ["in", "ok"],
  REQUESTING_CONFIGURATION: ["asks the controller", "waiting"],
  ACCESS_DENIED: ["waits to be let in", "waiting"],
  NOT_FOUND: ["not found: the controller does not know it", "bad"],
  PORT_ERROR: ["the interface could not be made", "bad"],
  CLIENT_TOO_OLD: ["the controller wants a newer version", "bad"],
  AUTHENTICATION_REQUIRED: ["wants you to sign on", "waiting"],
};
const permissions = [
  ["allowManaged", "addresses and routes"], ["allowGlobal", "public addresses"], ["allowDefault", "default route"],
  ["allowDNS", "name servers"],
];

async function leave(network) {
  const isSure = await ask({
    title: "Leave the network?",
    text: `This node will not reach members of ${nameOf(network, network.id)} (${network.id}) any more.`,
    action: "Leave",
  });
  if (!isSure) return;
  await attempt(async () => {
    await remove(`network/${network.id}`);
    const allowed = Object.fromEntries(permissions.map(([key]) => [key, network[key]]));
    toast(`Left ${nameOf(network, network.id)}`, () => post(`network/${network.id}`, allowed));
  });
}

function joinedRow(network) {
  let current = network;
  const name = element("span", { dir: "auto", class: "name" });
  const chip = element("span", { class: "chip" });
  const addresses = element("span", { class: "detail" });
  const link = element("a", { rel: "noreferrer noopener", target: "_blank", hidden: true }, "Sign on");
  const boxes = permissions.map(([key, word]) => {
    const box = checkbox({ "aria-label": `${word} of ${network.id}` });
    box.addEventListener("change", () => attempt(() => post(`network/${network.id}`, { [key]: box.checked })));
    return [key, box, choice(word, box)];
  });
  const row = element(
    "tr", { role: "row" }, rowHead("Network", name, copyable(network.id, "network ID")), cell("State", chip, link),
    cell("Addresses", addresses), cell("Takes", boxes.map(([, , whole]) => whole)),
    cell("", button("Leave", () => leave(current), { class: "quiet", "aria-label": `Leave ${network.id}` })));
  row.update = (one) => {
    current = one;
    setText(name, nameOf(one, "(no name yet)"));
    const [word, kind] = states[one.status] ?? [one.status, ""];
    setText(chip, word);
    setAttribute(chip, "class", `chip ${kind}`);
    const page = one.authenticationURL;
    const isPage = typeof page === "string" && page.startsWith("https://");
    setShown(link, isPage);
    setAttribute(link, "href", isPage ? page : null);
    setText(addresses, one.assignedAddresses.join(", ") || "none");
    for (const [key, box] of boxes) setValue(box, one[key]);
  };
  return row;
}

function facts() {
  const list = element("dl", { class: "facts" });
  const rows = new Map();
  return {
    list,
    set(name, ...content) {
      let place = rows.get(name);
      if (!place) {
        place = element("dd");
        rows.set(name, place);
        list.append(element("div", {}, element("dt", {}, name), place));
      }
      const text = content.map((part) => part.textContent ?? part).join("");
      if (place.wanted !== text) place.replaceChildren(...content);
      place.wanted = text;
    },
  };
}

export function nodeView() {
  const own = facts();
  const { whole, body } = table("Networks that this node has joined", ["Network", "State", "Addresses", "Takes", ""]);
  const empty = element("p", { class: "empty", hidden: true }, "This node has joined no network. Give the ID of one:");
  const id = textInput({ maxlength: "16", class: "code", inputmode: "text" });
  const problem = element("p", { class: "problem", role: "alert", hidden: true });
  const form = element(
    "form", { class: "line", novalidate: true }, field("Network ID", id, "16 hexadecimal digits"),
    element("button", { type: "submit", class: "primary" }, "Join"), problem);
  onSubmit(form, problem, async () => {
    const network = id.value.trim().toLowerCase();
    if (!isHex(network, 16)) throw new Error("A network's ID has 16 hexadecimal digits.");
    await post(`network/${network}`);
    id.value = "";
    toast(`Joined ${network}`, () => remove(`network/${network}`));
  });
  const root = element(
    "div", {}, element("h1", { tabindex: "-1" }, "This node"), own.list,
    element("h2", {}, "Networks that it has joined"), whole, empty, form);
  return {
    title: "This node", root, section: "node",
    wants: (event) => event === "node" || event === "joined",
    async refresh() {
      const now = status;
      own.set("Address", copyable(now.address, "address"));
      own.set("State", element("span", { class: `chip ${now.online ? "ok" : "bad"}` }, now.online ? "online" : "offline"),
        now.online ? "" : " No root answers.");
      own.set("Version", now.version);
      own.set("Controls networks", now.isController ? "yes" : "no");
      const settings = now.config?.settings ?? {};
      own.set("UDP port", String(settings.primaryPort ?? "unknown"));
      own.set("Listens on", (settings.listeningOn ?? []).join(", ") || "unknown");
      own.set("Seen from outside as", (settings.surfaceAddresses ?? []).join(", ") || "unknown");
      own.set("Public identity", copyable(now.publicIdentity, "public identity"));
      const joined = await get("network");
      reconcile(body, joined, (network) => network.id, joinedRow);
      setShown(whole, joined.length > 0);
      setShown(empty, joined.length === 0);
    },
  };
}
