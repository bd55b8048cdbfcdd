// The page: signing in, which view is shown, and when it looks again.

import { get, hasToken, setToken, whenRefused } from "./api.js";
import { onSubmit } from "./dialogs.js";
import { announce, element, field, setAttribute, setShown, setText } from "./dom.js";
import { follow } from "./events.js";
import { networksView } from "./networks.js";
import { isPart, networkView } from "./network.js";
import { node, nodeView, refreshNode } from "./node.js";
import { peersView } from "./peers.js";
import { forgetDrafts, hasDrafts } from "./rules.js";
import { forgetSamples, refreshPeers } from "./samples.js";

const main = document.getElementById("main");
const bar = document.getElementById("bar");
const live = document.getElementById("live");
// Between two samples, and for what no event tells; and the time in which events that come together are one.
const round = 5000;
const together = 150;

let view = null;
let session = null;
let isOpen = false;

// MARK: Views

function viewOf(hash) {
  const [section, id, part = "members"] = hash.replace(/^#\/?/, "").split("/");
  if (section === "networks" && id && /^[0-9a-f]{16}$/.test(id) && isPart(part)) return networkView(id, part);
  if (section === "peers") return peersView();
  if (section === "node") return nodeView();
  return networksView();
}

function showTitle() {
  document.title = `${view.title} – ZeroTier`;
}

async function show() {
  const former = document.activeElement;
  view = viewOf(location.hash);
  for (const link of document.querySelectorAll("[data-section]")) {
    setAttribute(link, "aria-current", link.dataset.section === view.section ? "page" : false);
  }
  main.replaceChildren(view.root);
  const shown = view;
  await look(false);
  if (shown !== view) return;
  // A screen reader says where it is now, unless the person is somewhere else already.
  const now = document.activeElement;
  if (now === former || now === document.body) {
    main.querySelector("h1")?.focus({ preventScroll: true });
    scrollTo(0, 0);
  }
}

// MARK: Looking again

let isLooking = false;
let wanted = null;
// How long the last look took, in ms, and when it ended. A list of very many members is asked for less often.
let cost = 0;
let lookedAt = 0;
const share = 4;

/** Asks for what the view shows, once at a time: what is wanted meanwhile follows. */
async function look(isSample) {
  if (isLooking) {
    wanted = { isSample: isSample || (wanted?.isSample ?? false) };
    return;
  }
  isLooking = true;
  const looking = session;
  const begun = performance.now();
  try {
    await Promise.all([refreshNode(), refreshPeers(isSample)]);
    if (session === looking && session) {
      setText(document.getElementById("brand"), node().address);
      await view.refresh();
      showTitle();
      showState(true);
    }
  } catch (error) {
    if (error.status !== 401) showState(false, error.message);
  }
  isLooking = false;
  lookedAt = performance.now();
  cost = lookedAt - begun;
  const next = wanted;
  wanted = null;
  if (next && session) await look(next.isSample);
}

function showState(answers, message = "") {
  const [word, kind] = !answers ? ["Not connected", "bad"] : isOpen ? ["Live", "ok"] : ["Connecting…", "waiting"];
  setText(live, word);
  setAttribute(live, "class", `chip ${kind}`);
  setAttribute(live, "title", message || null);
}

// MARK: A session

function begin() {
  const own = { end: new AbortController() };
  session = own;
  setShown(bar, true);
  let soon = null;
  const lookSoon = () => {
    if (soon === null) {
      soon = setTimeout(() => {
        soon = null;
        look(false);
      }, together + share * cost);
    }
  };
  let stream = null;
  const listen = () => {
    stream = new AbortController();
    follow(stream.signal, (name, data) => {
      if (name === "ready" || name === "missed" || view.wants(name, data)) lookSoon();
    }, (opened) => {
      isOpen = opened;
      showState(true);
    });
  };
  // A page that nobody sees asks for nothing.
  const followSight = () => {
    if (document.hidden) {
      stream?.abort();
      stream = null;
    } else if (!stream) {
      listen();
      look(true);
    }
  };
  document.addEventListener("visibilitychange", followSight, { signal: own.end.signal });
  own.end.signal.addEventListener("abort", () => {
    stream?.abort();
    clearTimeout(soon);
    clearInterval(timer);
  });
  const timer = setInterval(() => {
    if (!document.hidden && performance.now() - lookedAt > share * cost) look(true);
  }, round);
  if (!document.hidden) listen();
  show().then(() => look(true));
}

function end(message) {
  session?.end.abort();
  session = null;
  isOpen = false;
  setToken(null);
  forgetSamples();
  forgetDrafts();
  for (const dialog of document.querySelectorAll("dialog")) dialog.close();
  document.getElementById("toasts").replaceChildren();
  signIn(message);
}

// MARK: Signing in

function signIn(message = "") {
  setShown(bar, false);
  document.title = "Sign in – ZeroTier";
  const input = element("input", {
    type: "password", autocomplete: "off", autocapitalize: "off", spellcheck: "false", class: "code", required: true,
  });
  const problem = element("p", { class: "problem", role: "alert", hidden: message === "" }, message);
  const form = element(
    "form", { class: "panel sign-in", novalidate: true }, element("h1", {}, "Sign in to this node"),
    field("Token", input, "The text in the file authtoken.secret in the node's state directory. It stays in this tab until you close it."),
    problem, element("div", { class: "actions" }, element("button", { type: "submit", class: "primary" }, "Sign in")));
  onSubmit(form, problem, async () => {
    const text = input.value.trim();
    // What else is there cannot stand in a header.
    if (!/^[\x21-\x7e]+$/.test(text)) throw new Error("Give the token: it has letters and digits and no blanks.");
    isSigningIn = true;
    setToken(text);
    try {
      await get("status");
    } catch (error) {
      setToken(null);
      input.select();
      throw error;
    } finally {
      isSigningIn = false;
    }
    begin();
    announce("Signed in");
  });
  main.replaceChildren(form);
  input.focus();
}

let isSigningIn = false;
whenRefused(() => {
  if (session && !isSigningIn) end("The service does not take the token any more. It may have been changed.");
});
document.getElementById("leave").addEventListener("click", () => end(""));
// A link to a place in the page would be taken for a view.
document.getElementById("skip").addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});
addEventListener("hashchange", () => { if (session) show(); });
addEventListener("beforeunload", (event) => { if (hasDrafts()) event.preventDefault(); });

if (hasToken()) begin();
else signIn();
