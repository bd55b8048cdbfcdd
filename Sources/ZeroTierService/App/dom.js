// Elements, and what all views need of them. Texts of others become text nodes and attributes, never markup.

let counter = 0;

/** An ID that no other element has. */
export function freshID() {
  counter += 1;
  return `e${counter}`;
}

/**
 * An element. `attributes`: values of attributes; true stands for an empty one, false and null for none; `on` has the
 * listeners, `value` and `checked` are properties. Children are nodes or texts; null is left out.
 */
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "on") {
      for (const [event, listener] of Object.entries(value)) made.addEventListener(event, listener);
    } else if (key === "value" || key === "checked") {
      made[key] = value;
    } else {
      setAttribute(made, key, value);
    }
  }
  made.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
  return made;
}

/** Sets an attribute, or takes it away, if it is not so already. */
export function setAttribute(node, key, value) {
  if (value === false || value === null || value === undefined) {
    if (node.hasAttribute(key)) node.removeAttribute(key);
    return;
  }
  const text = value === true ? "" : String(value);
  if (node.getAttribute(key) !== text) node.setAttribute(key, text);
}

/** Sets the text of an element if it is another: a screen reader hears only what is new. */
export function setText(node, text) {
  const wanted = String(text);
  if (node.textContent !== wanted) node.textContent = wanted;
}

/** Shows or hides. */
export function setShown(node, isShown) {
  if (node.hidden === isShown) node.hidden = !isShown;
}

/** Sets what a person may be changing: not while it has the focus, and not once it was changed. */
export function setValue(input, value) {
  if (input === document.activeElement || input.dataset.changed === "yes") return;
  if (input.type === "checkbox") {
    if (input.checked !== value) input.checked = value;
  } else if (input.value !== value) {
    input.value = value;
  }
}

/** Remembers that inputs below a node were changed by the person, until `forgetChanges`. */
export function watchChanges(node) {
  node.addEventListener("input", (event) => {
    event.target.dataset.changed = "yes";
  });
}

export function forgetChanges(node) {
  for (const input of node.querySelectorAll("[data-changed]")) delete input.dataset.changed;
}

/** A button. */
export function button(text, action, attributes = {}) {
  return element("button", { type: "button", on: { click: action }, ...attributes }, text);
}

/** An input with its label, and a hint that is read with it. */
export function field(label, input, hint = null) {
  if (!input.id) input.id = freshID();
  const parts = [element("label", { for: input.id }, label)];
  if (hint) {
    const text = element("p", { class: "hint", id: freshID() }, hint);
    input.setAttribute("aria-describedby", text.id);
    parts.push(text);
  }
  return element("div", { class: "field" }, parts, input);
}

/** A check box with its label behind it. */
export function choice(label, input, hint = null) {
  if (!input.id) input.id = freshID();
  const parts = [input, element("label", { for: input.id }, label)];
  if (hint) {
    const text = element("span", { class: "hint", id: freshID() }, hint);
    input.setAttribute("aria-describedby", text.id);
    parts.push(text);
  }
  return element("div", { class: "choice" }, parts);
}

/** An input of one line. */
export function textInput(attributes = {}) {
  return element("input", { type: "text", autocomplete: "off", autocapitalize: "off", spellcheck: "false", ...attributes });
}

export function checkbox(attributes = {}) {
  return element("input", { type: "checkbox", ...attributes });
}

/** A switch: a check box that says on and off. */
export function toggle(label, action) {
  const input = checkbox({ role: "switch", class: "switch", "aria-label": label });
  input.addEventListener("change", () => action(input.checked, input));
  return input;
}

/**
 * Brings the children of a node in line with a list: one child an item, made by `create` and kept by key as long as its
 * item is there. The child has the method `update(item)`. What has the focus keeps it.
 */
export function reconcile(parent, items, keyOf, create) {
  const known = parent.rowsByKey ?? new Map();
  const rows = new Map();
  let next = parent.firstChild;
  for (const item of items) {
    const key = keyOf(item);
    if (rows.has(key)) continue;
    const row = known.get(key) ?? create(item);
    rows.set(key, row);
    row.update(item);
    // Rows that are gone stand between.
    while (next && next !== row && next.rowKey !== undefined && !items.some((other) => keyOf(other) === next.rowKey)) {
      const gone = next;
      next = next.nextSibling;
      gone.remove();
    }
    if (row === next) {
      next = next.nextSibling;
    } else {
      const focused = row.contains(document.activeElement) ? document.activeElement : null;
      parent.insertBefore(row, next);
      focused?.focus({ preventScroll: true });
    }
    row.rowKey = key;
  }
  for (const [key, row] of known) if (!rows.has(key)) row.remove();
  parent.rowsByKey = rows;
}

/** A table whose columns keep their names when it is shown as cards. */
export function table(caption, columns) {
  const body = element("tbody", { role: "rowgroup" });
  const head = element(
    "tr", { role: "row" },
    columns.map((column) => element("th", { scope: "col", role: "columnheader" }, column)));
  const whole = element(
    "table", { role: "table" }, element("caption", { class: "unseen" }, caption),
    element("thead", { role: "rowgroup" }, head), body);
  return { whole, body };
}

/** A cell of a row of such a table. */
export function cell(column, ...children) {
  return element("td", { role: "cell", "data-column": column }, children);
}

/** A heading of a row. */
export function rowHead(column, ...children) {
  return element("th", { scope: "row", role: "rowheader", "data-column": column }, children);
}

/** Tells a screen reader, and nobody else. */
export function announce(text) {
  const place = document.getElementById("announcer");
  place.append(element("p", {}, text));
  while (place.childNodes.length > 5) place.firstChild.remove();
}

/** Selects the text of an element. */
function select(node) {
  const range = document.createRange();
  range.selectNodeContents(node);
  const selection = getSelection();
  selection.removeAllRanges();
  selection.addRange(range);
}

/** A text that is to be copied, and a button that does it. `what` names it. */
export function copyable(text, what) {
  const code = element("code", {}, text);
  const copy = button("Copy", async () => {
    try {
      await navigator.clipboard.writeText(code.textContent);
      setText(copy, "Copied");
      announce(`${what} copied`);
      setTimeout(() => setText(copy, "Copy"), 2000);
    } catch {
      // Pages that did not come by a secure way, and browsers that ask, may not write there.
      select(code);
      announce(`${what} is selected: copy it with the keyboard`);
    }
  }, { class: "quiet small", "aria-label": `Copy ${what}` });
  return element("span", { class: "copyable" }, code, copy);
}
