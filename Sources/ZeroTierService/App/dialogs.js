// Questions, forms above the page, and messages that can be undone.

import { announce, button, element, freshID } from "./dom.js";

/** Opens a dialog and gives the element back. It goes when it is closed. */
function open(title, content, kind) {
  const heading = element("h2", { id: freshID() }, title);
  const dialog = element("dialog", { "aria-labelledby": heading.id, class: kind }, heading, content);
  const former = document.activeElement;
  dialog.addEventListener("close", () => {
    dialog.remove();
    // The browser does so too, unless what had the focus was made anew.
    if (former?.isConnected) former.focus();
    else document.getElementById("main").focus();
  });
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

/** Asks before something is destroyed. Resolves with whether to do it. */
export function ask({ title, text, action }) {
  return new Promise((resolve) => {
    let answer = false;
    const cancel = button("Cancel", () => dialog.close(), { class: "quiet" });
    const act = button(action, () => {
      answer = true;
      dialog.close();
    }, { class: "danger" });
    const dialog = open(
      title, [element("p", {}, text), element("div", { class: "actions" }, cancel, act)], "question");
    dialog.addEventListener("close", () => resolve(answer));
    cancel.focus();
  });
}

/**
 * A form above the page. `submit` is called until it does not throw: what it throws is shown in the form.
 */
export function formDialog({ title, content, action, submit }) {
  const problem = element("p", { class: "problem", role: "alert", hidden: true });
  const act = element("button", { type: "submit", class: "primary" }, action);
  const cancel = button("Cancel", () => dialog.close(), { class: "quiet" });
  const form = element(
    "form", { novalidate: true }, content, problem, element("div", { class: "actions" }, cancel, act));
  onSubmit(form, problem, async () => {
    await submit();
    dialog.close();
  });
  const dialog = open(title, form, "form");
  form.querySelector("input, select, textarea")?.focus();
}

/** Calls `submit` when a form is sent, once at a time, and shows what it throws in `problem`. */
export function onSubmit(form, problem, submit) {
  let isBusy = false;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (isBusy) return;
    isBusy = true;
    form.setAttribute("aria-busy", "true");
    problem.hidden = true;
    try {
      await submit();
    } catch (error) {
      problem.textContent = error.message;
      problem.hidden = false;
    }
    isBusy = false;
    form.removeAttribute("aria-busy");
  });
}

const shownFor = 20_000;

/** A message at the edge of the page, with a way back if there is one. It stays while it is looked at. */
export function toast(text, undo = null) {
  const place = document.getElementById("toasts");
  const message = element("p", {}, text);
  const parts = [message];
  if (undo) {
    parts.push(button("Undo", async () => {
      close();
      try {
        await undo();
        announce("undone");
      } catch (error) {
        problem(error);
      }
    }, { "aria-label": `Undo: ${text}` }));
  }
  parts.push(button("Close", () => close(), { class: "quiet", "aria-label": `Close message: ${text}` }));
  const whole = element("div", { class: "toast" }, parts);
  let timer;
  const wait = () => {
    clearTimeout(timer);
    timer = setTimeout(() => close(), shownFor);
  };
  const close = () => {
    clearTimeout(timer);
    const hadFocus = whole.contains(document.activeElement);
    whole.remove();
    if (hadFocus) document.getElementById("main").focus();
  };
  for (const event of ["mouseenter", "focusin"]) whole.addEventListener(event, () => clearTimeout(timer));
  for (const event of ["mouseleave", "focusout"]) whole.addEventListener(event, wait);
  place.append(whole);
  while (place.childNodes.length > 3) place.firstChild.remove();
  announce(undo ? `${text}. It can be undone.` : text);
  wait();
}

/** Says what went wrong. */
export function problem(error) {
  const place = document.getElementById("toasts");
  const text = error.message;
  const whole = element(
    "div", { class: "toast bad", role: "alert" }, element("p", {}, text),
    button("Close", () => whole.remove(), { class: "quiet", "aria-label": `Close message: ${text}` }));
  place.append(whole);
  while (place.childNodes.length > 3) place.firstChild.remove();
}

/** Does something, and says what went wrong. Resolves with whether it was done. */
export async function attempt(body) {
  try {
    await body();
    return true;
  } catch (error) {
    problem(error);
    return false;
  }
}
