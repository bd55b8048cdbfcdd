// The networks that this node controls, and how a new one is made.

import { get, networkPath, post } from "./api.js";
import { button, cell, checkbox, choice, copyable, element, field, reconcile, rowHead, setAttribute, setShown, setText, table, textInput } from "./dom.js";
import { formDialog } from "./dialogs.js";
import { counted, nameOf } from "./format.js";
import { node } from "./node.js";
import { subnetSettings, proposedSubnet } from "./subnets.js";

function networkRow(network) {
  const link = element("a", { href: `#/networks/${network.id}`, dir: "auto", class: "name" });
  const kind = element("span", { class: "detail" });
  const members = element("span");
  const waiting = element("span", { class: "chip waiting" });
  const ranges = element("span", { class: "detail" });
  const row = element(
    "tr", { role: "row" }, rowHead("Network", link, kind), cell("ID", copyable(network.id, "network ID")),
    cell("Members", members, waiting), cell("Addresses", ranges));
  row.update = (one) => {
    setText(link, nameOf(one, "(no name)"));
    setText(kind, one.private ? "private" : "public: everybody is let in");
    const { authorizedMemberCount: inside = 0, totalMemberCount: all = 0 } = one.meta ?? {};
    setText(members, counted(inside, "member"));
    setShown(waiting, all > inside);
    setText(waiting, `${all - inside} not let in`);
    const targets = one.routes.filter((route) => !route.via).map((route) => route.target);
    setText(ranges, targets.length > 0 ? targets.join(", ") : "none assigned");
  };
  return row;
}

/** Asks for a new network and opens it. */
function create() {
  const name = textInput({ maxlength: "127" });
  const subnet = textInput({ value: proposedSubnet(), inputmode: "text" });
  const isPrivate = checkbox({ checked: true });
  formDialog({
    title: "New network",
    content: [
      field("Name", name, "Members see it. It can be changed later."),
      field("IPv4 subnet", subnet, "Members get addresses of it. Leave it empty to assign none."),
      choice("Private", isPrivate, "You let each member in. Otherwise everybody who knows the ID is a member."),
    ],
    action: "Make the network",
    async submit() {
      const settings = { name: name.value, private: isPrivate.checked };
      const text = subnet.value.trim();
      if (text !== "") Object.assign(settings, subnetSettings(text, { pools: [], routes: [] }));
      const made = await post(networkPath(`${node().address}______`), settings);
      location.hash = `#/networks/${made.id}`;
    },
  });
}

export function networksView() {
  const { whole, body } = table("Networks", ["Network", "ID", "Members", "Addresses"]);
  const make = button("New network", create, { class: "primary" });
  const empty = element("div", { class: "empty", hidden: true },
    element("h2", {}, "No network yet"),
    element("p", {}, "A network joins computers wherever they are, as if they were on one cable. Make one; then let computers in, which join by its ID."),
    button("Make the first network", create, { class: "primary" }));
  const off = element("div", { class: "empty", hidden: true },
    element("h2", {}, "This node controls no networks"),
    element("p", {}, "Start it with ", element("code", {}, "zerotier run --service --controller"), " to make networks of your own. Networks that it has joined are at ",
      element("a", { href: "#/node" }, "This node"), "."));
  const head = element("div", { class: "head" }, element("h1", { tabindex: "-1" }, "Networks"), make);
  const root = element("div", {}, head, whole, empty, off);
  return {
    title: "Networks", root, section: "networks",
    wants: (event) => ["network", "member"].includes(event),
    async refresh() {
      const isController = node().isController;
      const all = isController ? (await get("unstable/controller/network")).data : [];
      all.sort((a, b) => (a.id < b.id ? -1 : 1));
      reconcile(body, all, (network) => network.id, networkRow);
      setShown(whole, all.length > 0);
      setShown(empty, isController && all.length === 0);
      setShown(off, !isController);
      setShown(make, isController && all.length > 0);
      setAttribute(root, "data-ready", true);
    },
  };
}
