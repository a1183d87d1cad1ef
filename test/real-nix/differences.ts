// Every way in which our reading of a narinfo differs from that of a real Nix, and why. Nothing else may.
import { nixAtLeast } from "./nix.ts";

export interface Difference {
  /** The message of our refusal; or, if only Nix refuses, the change to the narinfo. */
  readonly when: RegExp;
  readonly why: string;
  /** False for a Nix version that agrees with us; `undefined` for an untested one. Absent: no version does. */
  readonly isIn?: () => boolean | undefined;
}

/** Whether this Nix is older than a change after 2.8 and up to 2.26; `undefined` for versions between. */
function isBeforeChange(): boolean | undefined {
  if (nixAtLeast(2, 26)) return false;
  return nixAtLeast(2, 9) ? undefined : true;
}

/** Narinfos that we refuse although this Nix accepts them. */
export const ONLY_NIX_ACCEPTS: readonly Difference[] = [
  {
    when: /^line \d+ is not "Key: value"/,
    why: `Nix looks for the next colon, wherever it is, and skips two characters: what stands before is silently a part
      of an unknown key. A line that is broken is taken for one that is not there.`,
  },
  {
    when: /^lines must end in LF/,
    why: "the CR becomes a part of the value: of an invalid URL, of an unknown compression",
  },
  {
    when: /: holds a control character$/,
    why: "would reach the terminal of whoever looks at the path, or end a C string early; no value has one",
  },
  {
    when: /^StorePath: .* is not a store path's base name/,
    why: "Nix takes a slash at the end away; written into the fingerprint and compared as text it would be another path",
  },
  {
    when: /^References: the path's own hash stands there under another name/,
    why: "a reference to a path that cannot exist: two paths of one hash",
  },
  {
    when: /^URL: .* (is not a URL|is absolute|is outside nar\/|has an empty, "\." or "\.\." part)/,
    why: `Nix reads the URL only when it downloads; up to 2.31 it is appended to the cache's, from 2.32 resolved by
      RFC 3986. What the two understand differently, or what leaves the cache, would be another object than was checked.`,
  },
  {
    when: /^URL: .* has a "\?" or "#"/,
    why: "the same: Nix asks for the query as well, and a copy of the cache on disk has no file of that name",
  },
  {
    when: /^URL: .* (holds a backslash|has a wrong percent-encoding|holds a character that is not printable)/,
    why: "the same: versions of curl and Nix encode these differently",
  },
  {
    when: /^Compression: .* is not a compression Nix knows/,
    why: "Nix fails only when it decompresses",
  },
  {
    when: /^Compression is \S+, but \S+ is named as/,
    why: "Nix fails only when it decompresses: it goes by the field, and the archive was named by what it is",
  },
  {
    when: /^without compression (FileHash and NarHash|FileSize and NarSize) must be the same/,
    why: "Nix fails only after the download, on the NarHash; it never looks at FileHash",
  },
  {
    when: /^(FileHash|NarHash): .* expected 32 bytes in padded base64/,
    why: "an SRI hash whose padding is wrong or whose last bits say something: one hash has one spelling (RFC 4648, 3.5)",
  },
  {
    when: /^NarHash: .* must be a sha256 hash/,
    why: "Nix refuses it later: such a path has no fingerprint, and its archive cannot be imported",
  },
  {
    when: /^(FileSize|NarSize): .* is not a number of bytes/,
    why: "with a plus sign, or above 2^53: no archive is that large, and JSON clients would read another number",
  },
  {
    when: /^Sig: (".*" is not a signature like|expected 64 bytes)/,
    why: "no key can verify it. Up to 2.33 any text is a signature; from 2.34 one that is malformed is fatal",
  },
  {
    when: /^(StorePath|References|Deriver): .* has a name that Nix refuses/,
    why: "a name that is or begins with a dot segment: newer Nix refuses the whole narinfo for it",
    isIn: isBeforeChange,
  },
  {
    when: /^CA: "text:(?!sha256:).*" is not a content address/,
    why: "a text is hashed by SHA-256, older Nix refuses every other",
    isIn: () => {
      const before = isBeforeChange();
      return before === undefined ? undefined : !before;
    },
  },
];

/** Narinfos that we accept although this Nix refuses them. */
export const ONLY_WE_ACCEPT: readonly Difference[] = [
  {
    when: /^CA: "fixed:git:/,
    why: "known to Nix from 2.19 with the experimental feature git-hashing, which this client has not",
  },
  {
    when: /^CA: "fixed:(r:)?blake3:/,
    why: "known to Nix from 2.27 with the experimental feature blake3-hashes, which this client has not",
  },
];
