// Where members of a network get their addresses, what it routes, and its name servers.

import { networkPath, post } from "./api.js";
import { attempt, onSubmit, toast } from "./dialogs.js";
import { button, cell, checkbox, choice, element, field, forgetChanges, reconcile, rowHead, setShown, setText, setValue, table, textInput, watchChanges } from "./dom.js";
import { wordsOf } from "./format.js";
import { proposedSubnet, subnetSettings } from "./subnets.js";

const modes = [
  ["v4AssignMode", "zt", "IPv4 addresses of the pools", null],
  ["v6AssignMode", "zt", "IPv6 addresses of the pools", null],
  ["v6AssignMode", "rfc4193", "An IPv6 address of the RFC 4193 scheme", "fd… and a /128 for each member; needs no pool."],
  ["v6AssignMode", "6plane", "An IPv6 subnet of the 6PLANE scheme", "fc… and a /80 for each member; needs no pool."],
];

/** A list of a network's record, with a row for each entry, a way to remove it, and a form for another. */
function listPanel({ title, hint, columns, cells, key, empty, inputs, entry, path, keyOf, current }) {
  const { whole, body } = table(title, [...columns, ""]);
  const nothing = element("p", { class: "hint" }, empty);
  const save = (list) => post(path, { [key]: list });
  const problem = element("p", { class: "problem", role: "alert", hidden: true });
  const form = element(
    "form", { class: "line", novalidate: true }, inputs.map(([label, input, about]) => field(label, input, about)),
    element("button", { type: "submit" }, "Add"), problem);
  onSubmit(form, problem, async () => {
    const before = current()[key];
    await save([...before, entry()]);
    for (const [, input] of inputs) input.value = "";
    inputs[0][1].focus();
    toast(`${title}: one is added`, () => save(before));
  });
  const create = (first) => {
    const places = columns.map((column, index) => (index === 0 ? rowHead : cell)(column, element("span", { class: "code" })));
    const drop = button("Remove", () => attempt(async () => {
      const before = current()[key];
      await save(before.filter((one) => keyOf(one) !== keyOf(first)));
      toast(`${cells(first)[0]} is removed`, () => save(before));
    }), { class: "quiet", "aria-label": `Remove ${cells(first).join(" ")}` });
    const row = element("tr", { role: "row" }, places, cell("", drop));
    row.update = (one) => cells(one).forEach((text, index) => setText(places[index].firstChild, text));
    return row;
  };
  return {
    root: element("section", { class: "panel" }, element("h2", {}, title), element("p", { class: "hint" }, hint), whole, nothing, form),
    update(record) {
      reconcile(body, record[key], keyOf, create);
      setShown(whole, record[key].length > 0);
      setShown(nothing, record[key].length === 0);
    },
  };
}

function modesPanel(path, current) {
  const boxes = modes.map(([key, name, label, hint]) => {
    const input = checkbox();
    input.addEventListener("change", async () => {
      const before = { [key]: current()[key] };
      const isDone = await attempt(async () => {
        await post(path, { [key]: { ...current()[key], [name]: input.checked } });
        toast(`${label}: ${input.checked ? "on" : "off"}`, () => post(path, before));
      });
      if (!isDone) input.checked = current()[key][name] === true;
    });
    return { key, name, input, whole: choice(label, input, hint) };
  });
  return {
    root: element("section", { class: "panel" }, element("h2", {}, "What members get"), boxes.map((box) => box.whole)),
    update(record) {
      for (const { key, name, input } of boxes) {
        const isOn = record[key][name] === true;
        if (input.checked !== isOn) input.checked = isOn;
      }
    },
  };
}

function subnetPanel(path, current) {
  const subnet = textInput({ class: "code" });
  const problem = element("p", { class: "problem", role: "alert", hidden: true });
  const form = element(
    "form", { class: "line", novalidate: true },
    field("IPv4 subnet", subnet, "Adds its route and its pool, and lets members get addresses of it."),
    element("button", { type: "submit", class: "primary" }, "Use this subnet"), problem);
  const reset = () => { subnet.value = proposedSubnet(); };
  reset();
  onSubmit(form, problem, async () => {
    const record = current();
    const before = { routes: record.routes, ipAssignmentPools: record.ipAssignmentPools, v4AssignMode: record.v4AssignMode };
    await post(path, subnetSettings(subnet.value, { routes: record.routes, pools: record.ipAssignmentPools }));
    toast(`Members get addresses of ${subnet.value.trim()}`, () => post(path, before));
    reset();
  });
  return element("section", { class: "panel" }, element("h2", {}, "A subnet in one step"), form);
}

function namesPanel(path, current) {
  const domain = textInput();
  const servers = textInput({ class: "code" });
  const problem = element("p", { class: "problem", role: "alert", hidden: true });
  const form = element(
    "form", { novalidate: true }, field("Domain", domain, "Names in it are asked of these servers, such as home.arpa."),
    field("Name servers", servers, "IP addresses with blanks between; at most four."), problem,
    element("div", { class: "actions" }, element("button", { type: "submit" }, "Save")));
  watchChanges(form);
  onSubmit(form, problem, async () => {
    const before = current().dns;
    await post(path, { dns: { domain: domain.value.trim(), servers: wordsOf(servers.value) } });
    forgetChanges(form);
    toast("Name servers saved", () => post(path, { dns: Array.isArray(before) ? { domain: "", servers: [] } : before }));
  });
  return {
    root: element("section", { class: "panel" }, element("h2", {}, "Name servers"), form),
    update(record) {
      setValue(domain, record.dns.domain ?? "");
      setValue(servers, (record.dns.servers ?? []).join(" "));
    },
  };
}

export function addressesPart(network) {
  let record = network;
  const current = () => record;
  const path = networkPath(network.id);
  const [first, last, target, via] = [1, 2, 3, 4].map(() => textInput({ class: "code" }));
  const pools = listPanel({
    title: "Pools", hint: "Members get addresses of these ranges, in this order. Each must be inside a route without a gateway.",
    columns: ["First", "Last"], key: "ipAssignmentPools", empty: "There is no pool: members get no address of one.",
    cells: (pool) => [pool.ipRangeStart, pool.ipRangeEnd], keyOf: (pool) => `${pool.ipRangeStart} ${pool.ipRangeEnd}`,
    inputs: [["First address", first, null], ["Last address", last, null]],
    entry: () => ({ ipRangeStart: first.value.trim(), ipRangeEnd: last.value.trim() }), path, current,
  });
  const routes = listPanel({
    title: "Routes", hint: "Without a gateway a route is on the network itself; with one it leads to what is behind a member.",
    columns: ["Target", "Gateway"], key: "routes", empty: "There is no route: members have no address that counts.",
    cells: (route) => [route.target, route.via || "on the network"], keyOf: (route) => `${route.target} ${route.via ?? ""}`,
    inputs: [["Target", target, "Such as 10.20.0.0/24"], ["Gateway", via, "A member's address, or nothing"]],
    entry: () => ({ target: target.value.trim(), via: via.value.trim() || null }), path, current,
  });
  const chosen = modesPanel(path, current);
  const names = namesPanel(path, current);
  return {
    root: element("div", { class: "parts" }, subnetPanel(path, current), chosen.root, pools.root, routes.root, names.root),
    wants: (event) => event === "network",
    async refresh(latest) {
      record = latest;
      for (const panel of [chosen, pools, routes, names]) panel.update(record);
    },
  };
}
