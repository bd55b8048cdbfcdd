// Subnets as texts, and the pools and routes that follow from them.

/** An IPv4 subnet `a.b.c.d/bits` as numbers. Throws an error that says what is wrong. */
export function parseSubnet(text) {
  const found = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\/(\d{1,2})$/.exec(text.trim());
  const parts = found?.slice(1, 5).map(Number);
  const bits = Number(found?.[5]);
  if (!found || parts.some((part) => part > 255) || bits < 8 || bits > 30) {
    throw new Error(`A subnet is like 10.147.17.0/24, with 8 to 30 bits; not “${text}”.`);
  }
  const size = 2 ** (32 - bits);
  const address = parts.reduce((sum, part) => sum * 256 + part, 0);
  return { first: address - address % size, size, bits };
}

const dotted = (address) => [24, 16, 8, 0].map((shift) => Math.floor(address / 2 ** shift) % 256).join(".");

/** What a network needs so that its members get addresses of an IPv4 subnet, beside what it has. */
export function subnetSettings(text, { pools, routes }) {
  const { first, size, bits } = parseSubnet(text);
  const target = `${dotted(first)}/${bits}`;
  const pool = { ipRangeStart: dotted(first + 1), ipRangeEnd: dotted(first + size - 2) };
  const isThere = (one) => one.ipRangeStart === pool.ipRangeStart && one.ipRangeEnd === pool.ipRangeEnd;
  return {
    routes: routes.some((route) => route.target === target && !route.via) ? routes : [...routes, { target, via: null }],
    ipAssignmentPools: pools.some(isThere) ? pools : [...pools, pool],
    v4AssignMode: { zt: true },
  };
}

/** A private subnet that is hardly in use anywhere. */
export function proposedSubnet() {
  const [second, third] = crypto.getRandomValues(new Uint8Array(2));
  return `10.${100 + second % 100}.${third}.0/24`;
}
