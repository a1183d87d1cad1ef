// Which facts the row of a NAR keeps: a row has room for 2 MB, and anyone with a push token can claim content addresses.
import type { Content, Facts } from "../content.ts";

/** Content addresses of one compression; each takes up to 200 bytes. */
const MAX_ADDRESSES = 256;

/** Of too many content addresses the true ones are kept first, then the newest. One that is not kept is checked again. */
export function keptFacts(facts: Facts): Facts {
  return Object.fromEntries(
    Object.entries(facts).map(([compression, content]) => [compression, keptContent(content)]),
  );
}

function keptContent(content: Content): Content {
  if (content.kind !== "nar") return content;
  const all = Object.entries(content.addresses);
  if (all.length <= MAX_ADDRESSES) return content;
  const [right, others] = [all.filter(([, is]) => is === true), all.filter(([, is]) => is !== true)];
  const kept = new Set([...others, ...right].slice(-MAX_ADDRESSES).map(([address]) => address));
  return { ...content, addresses: Object.fromEntries(all.filter(([address]) => kept.has(address))) };
}
