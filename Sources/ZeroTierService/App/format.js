// Numbers and names as people read them.

const number = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });

/** A count with its word. */
export function counted(count, one, many = `${one}s`) {
  return `${number.format(count)} ${count === 1 ? one : many}`;
}

/** A rate in bytes a second. */
export function byteRate(value) {
  const units = ["B/s", "kB/s", "MB/s", "GB/s"];
  let rate = value;
  let unit = 0;
  while (rate >= 1000 && unit < units.length - 1) {
    rate /= 1000;
    unit += 1;
  }
  return `${number.format(rate)} ${units[unit]}`;
}

export const milliseconds = (value) => `${number.format(value)} ms`;

/** How long ago a moment is; both in ms since 1970. */
export function ago(time, now = Date.now()) {
  const seconds = Math.max(0, Math.round((now - time) / 1000));
  if (seconds < 60) return `${seconds} s ago`;
  if (seconds < 3600) return `${Math.round(seconds / 60)} min ago`;
  if (seconds < 172_800) return `${Math.round(seconds / 3600)} h ago`;
  return `${Math.round(seconds / 86_400)} days ago`;
}

// Signs that nobody sees and that turn or hide what is around them: control characters, and those of bidirectional text.
const unseen = /[\p{Cc}\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu;

/** The name of a thing, or what stands for it when it has none. What would make it look like another name is replaced. */
export function nameOf(thing, otherwise) {
  const name = typeof thing?.name === "string" ? thing.name : "";
  return name.trim() === "" ? otherwise : name.replace(unseen, "\ufffd");
}

/** A version out of three numbers; -1 is unknown. */
export function version(major, minor, revision) {
  return [major, minor, revision].every((part) => Number.isInteger(part) && part >= 0)
    ? `${major}.${minor}.${revision}` : "unknown";
}

/** Whether a text is so many hexadecimal digits. */
export function isHex(text, digits) {
  return text.length === digits && /^[0-9a-f]+$/i.test(text);
}

/** Words, each its own, of a text with blanks, commas or line ends between them. */
export function wordsOf(text) {
  return text.split(/[\s,]+/).filter((word) => word !== "");
}
