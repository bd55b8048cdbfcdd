// The rules of a network as text: errors at their line while it is written, and the reason why a frame would pass or not.

import { networkPath, post } from "./api.js";
import { onSubmit, toast } from "./dialogs.js";
import { announce, button, element, freshID, setAttribute, setShown, setText } from "./dom.js";
import { counted } from "./format.js";
import { trialPanel } from "./trial.js";

const pause = 350;
// Texts that were changed and not saved, by network: they wait while another page is looked at.
const drafts = new Map();

/** Whether a text waits to be saved. */
export const hasDrafts = () => drafts.size > 0;

/** Forgets all drafts: another person may sign in. */
export const forgetDrafts = () => drafts.clear();

/** Compiles a text. Gives { errors, warnings, config }; the latter is null if there are errors. */
const compile = (source) => post("zt/rules/compile", { source });

/** A text of the rules that are in force: what somebody wrote if that still counts, else one that means the same. */
async function textInForce({ rules, capabilities, tags, rulesSource }) {
  return (await post("zt/rules/text", { rules, capabilities, tags, rulesSource })).source;
}

/** A text area with numbers of lines, of which some can be marked. */
function editor(hintID, problemsID) {
  const gutter = element("div", { class: "gutter", "aria-hidden": "true" });
  const area = element("textarea", {
    id: freshID(), class: "code", spellcheck: "false", autocomplete: "off", autocapitalize: "off", wrap: "off",
    "aria-describedby": `${hintID} ${problemsID}`,
  });
  const whole = element("div", { class: "editor" }, gutter, area);
  let marks = new Map();
  const draw = () => {
    const count = area.value.split("\n").length;
    setAttribute(area, "rows", Math.min(20, Math.max(6, count + 1)));
    while (gutter.childNodes.length < count) gutter.append(element("div"));
    while (gutter.childNodes.length > count) gutter.lastChild.remove();
    [...gutter.childNodes].forEach((line, index) => {
      setText(line, index + 1);
      setAttribute(line, "class", marks.get(index + 1) ?? false);
    });
    gutter.scrollTop = area.scrollTop;
  };
  area.addEventListener("scroll", () => { gutter.scrollTop = area.scrollTop; });
  area.addEventListener("input", draw);
  return {
    whole, area,
    set(text) {
      area.value = text;
      draw();
    },
    mark(lines) {
      marks = lines;
      draw();
    },
    // Columns count characters as a person sees code points; a text area counts UTF-16.
    goTo(line, column) {
      const lines = area.value.split("\n");
      const before = lines.slice(0, line - 1).reduce((sum, text) => sum + text.length + 1, 0);
      const inLine = [...(lines[line - 1] ?? "")].slice(0, column - 1).join("").length;
      area.focus();
      area.setSelectionRange(before + inLine, before + inLine);
      const height = parseFloat(getComputedStyle(area).lineHeight);
      area.scrollTop = Math.max(0, (line - 4) * height);
    },
  };
}

export function rulesPart(network) {
  const path = networkPath(network.id);
  let record = network;
  let saved = null;
  let inForce = null;
  let timer = null;
  let turn = 0;
  let said = "";
  const hint = element("p", { class: "hint", id: freshID() }, "Statements end with a semicolon; # begins a comment. The first one that decides counts.");
  const problems = element("ul", { class: "problems", id: freshID() });
  const state = element("p", { class: "hint", role: "status" });
  const text = editor(hint.id, problems.id);
  const save = element("button", { type: "submit", class: "primary" }, "Save the rules");
  const back = button("Discard changes", () => {
    drafts.delete(network.id);
    text.set(saved);
    text.area.focus();
    check();
  }, { class: "quiet" });
  const problem = element("p", { class: "problem", role: "alert", hidden: true });
  const form = element(
    "form", { class: "panel", novalidate: true }, element("h2", {}, element("label", { for: text.area.id }, "Rules of the network")),
    hint, text.whole, problems, state, problem, element("div", { class: "actions" }, save, back));

  function say(entries, kind) {
    return entries.map((entry) => element(
      "li", { class: kind },
      button(`Line ${entry.line}, column ${entry.column}`, () => text.goTo(entry.line, entry.column), { class: "link" }),
      `: ${entry.message}`,
      entry.includedLine ? ` (in a macro that line ${entry.includedLine} includes)` : ""));
  }

  async function check() {
    clearTimeout(timer);
    turn += 1;
    const mine = turn;
    let result;
    try {
      result = await compile(text.area.value);
    } catch (error) {
      setText(state, `Not checked: ${error.message}`);
      return null;
    }
    // A later text is being checked.
    if (mine !== turn) return null;
    const { errors, warnings } = result;
    text.mark(new Map([...warnings.map((one) => [one.line, "warning"]), ...errors.map((one) => [one.line, "bad"])]));
    setAttribute(text.area, "aria-invalid", errors.length > 0 ? "true" : false);
    const isChanged = text.area.value !== saved;
    setText(state, errors.length > 0 ? "Not valid: members keep the former rules."
      : `${counted(result.config.rules.length, "rule")}, valid. ${isChanged ? "Not saved yet." : "This is in force."}`);
    // What is new is read aloud; what is not keeps the focus.
    const words = [...errors, ...warnings].map((one) => `Line ${one.line}, column ${one.column}: ${one.message}`).join(". ");
    if (words !== said) {
      problems.replaceChildren(...say(errors, "bad"), ...say(warnings, "warning"));
      if (words !== "") announce(words);
      said = words;
    }
    setAttribute(back, "disabled", !isChanged);
    setAttribute(save, "aria-disabled", !isChanged || errors.length > 0 ? "true" : false);
    return result;
  }

  text.area.addEventListener("input", () => {
    if (text.area.value === saved) drafts.delete(network.id);
    else drafts.set(network.id, text.area.value);
    clearTimeout(timer);
    timer = setTimeout(check, pause);
  });
  onSubmit(form, problem, async () => {
    const source = text.area.value;
    const result = await check();
    if (!result) throw new Error("The rules were not checked. Try again.");
    if (result.errors.length > 0) {
      const { line, column, message } = result.errors[0];
      text.goTo(line, column);
      throw new Error(`Not saved. Line ${line}, column ${column}: ${message}`);
    }
    const before = { rules: record.rules, capabilities: record.capabilities, tags: record.tags, rulesSource: record.rulesSource };
    await post(path, { ...result.config, rulesSource: source });
    drafts.delete(network.id);
    toast("The rules are in force", () => post(path, before));
  });
  const trial = trialPanel(network.id, () => text.area.value);
  return {
    root: element("div", { class: "parts" }, form, trial.root),
    wants: (event) => event === "network" || event === "member",
    async refresh(latest) {
      record = latest;
      await trial.refresh();
      const now = JSON.stringify([record.rules, record.capabilities, record.tags, record.rulesSource]);
      if (now === inForce) return;
      const isFirst = inForce === null;
      inForce = now;
      saved = await textInForce(record);
      const draft = drafts.get(network.id);
      // What a person is writing stays.
      if (draft === undefined || draft === saved) {
        drafts.delete(network.id);
        if (text.area.value !== saved) text.set(saved);
      } else if (isFirst) {
        text.set(draft);
      }
      await check();
    },
  };
}
