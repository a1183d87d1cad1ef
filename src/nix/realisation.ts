/**
 * Realisations: the store path of each output of a content-addressed derivation, parsed strictly, and written as Nix
 * writes them (libstore/realisation.cc).
 */

import { FormatError, quote } from "./format-error.ts";
import { parseSignature } from "./signature.ts";
import { checkBaseName } from "./store-path.ts";

export interface Realisation {
  /**
   * How Nix names and writes it. `realisation`, 2.4 to 2.34: `realisations/sha256:<hex>!<output>.doi`, with the name
   * as `id`. `build-trace`, from 2.35: `build-trace-v2/<derivation>/<output>.doi`, without the name inside: the
   * object is only the value of the `{key, value}` that Nix shows and signs.
   */
  form: "realisation" | "build-trace";
  /** `sha256:<hex>`, the derivation's hash modulo, or of a build trace the derivation's base name. */
  derivation: string;
  /** The output's name, such as `out`. */
  output: string;
  /** For a build trace: it is read and written as the whole `{key, value}`, the form of other programs. */
  isWhole?: boolean;
  /** A base name. */
  outPath: string;
  /** `name:base64`, in the order given, without duplicates. */
  signatures: string[];
  /**
   * The realisations that it was built with, as `sha256:<hex>!<output>` and base name. Nix writes them up to 2.33;
   * 2.34 ignores them and writes none. A build trace has no such field.
   */
  dependentRealisations: [id: string, outPath: string][];
  /** Fields unknown to Nix, as JSON.parse reads them, in the order given. No signature covers them. */
  extra: [key: string, value: unknown][];
}

const OUTPUT_CLASS = "[0-9A-Za-z+\\-._?=]";
const DRV_OUTPUT = new RegExp(`^(sha256:[0-9a-f]{64})!(${OUTPUT_CLASS}+)$`);
const REALISATION_KEY = /^realisations\/(.*)\.doi$/s;
const BUILD_TRACE_KEY = new RegExp(`^build-trace-v2/([^/]+)/(${OUTPUT_CLASS}+)\\.doi$`);

/** Far deeper than any field of Nix. Prevents a stack overflow in the writer. */
const MAX_DEPTH = 32;

/**
 * Parses the object of this key. Throws FormatError, naming the field, if the key is not a realisation's, if some Nix
 * version that reads this key would refuse the text, or if text and key disagree.
 */
export function parseRealisation(key: string, text: string): Realisation {
  const name = parseKey(key);
  const object = parseObject(text);
  const isWhole = name.form === "build-trace" && isObject(object.key) && isObject(object.value);
  if (isWhole) checkKey(object.key as Record<string, unknown>, name);
  const fields = new Map(Object.entries(isWhole ? (object.value as Record<string, unknown>) : object));
  const take = (field: string): unknown => {
    const value = fields.get(field);
    fields.delete(field);
    return value;
  };
  const isFlat = name.form === "realisation";
  if (isFlat) checkId(take("id"), `${name.derivation}!${name.output}`);
  const realisation = {
    ...name,
    ...(isWhole && { isWhole }),
    outPath: baseName("outPath", take("outPath")),
    signatures: parseSignatures(take("signatures"), isFlat),
    dependentRealisations: isFlat ? parseDependencies(take("dependentRealisations")) : [],
  };
  for (const [field, value] of fields) checkUnknown(field, value, 0);
  return { ...realisation, extra: [...fields] };
}

/**
 * Writes the object: compact, its fields sorted as Nix sorts them. A realisation that Nix wrote comes out byte for
 * byte.
 */
export function formatRealisation(realisation: Realisation): string {
  const { form, outPath, signatures, extra } = realisation;
  const known: [string, unknown][] =
    form === "realisation"
      ? [
          ["dependentRealisations", Object.fromEntries(sorted(realisation.dependentRealisations))],
          ["id", realisationId(realisation)],
          ["outPath", outPath],
          ["signatures", signatures],
        ]
      : [
          ["outPath", outPath],
          ["signatures", signatures.map(signatureObject)],
        ];
  const value = Object.fromEntries(sorted([...known, ...extra]));
  if (!realisation.isWhole) return JSON.stringify(value);
  return JSON.stringify({ key: { drvPath: realisation.derivation, outputName: realisation.output }, value });
}

/**
 * The same without dependent realisations, as Nix 2.34 writes all of them. Up to 2.33 a client aborts its build if a
 * dependent realisation differs from its own or the cache's; without them it checks none. Signatures that covered
 * them are invalid afterwards: sign again.
 */
export function withoutDependencies(realisation: Realisation): Realisation {
  return { ...realisation, dependentRealisations: [] };
}

/** `sha256:<hex>!<output>`, the `id` of the flat form. */
export function realisationId({ derivation, output }: Realisation): string {
  return `${derivation}!${output}`;
}

/** Sorted by key. Nix's keys are ASCII, for which the default order is the byte order of Nix's JSON library. */
export function sorted<T>(entries: [key: string, value: T][]): [key: string, value: T][] {
  return entries.toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
}

function parseKey(key: string): Pick<Realisation, "form" | "derivation" | "output"> {
  const flat = DRV_OUTPUT.exec(REALISATION_KEY.exec(key)?.[1] ?? "");
  const trace = BUILD_TRACE_KEY.exec(key);
  const [, derivation, output] = flat ?? trace ?? [];
  if (derivation === undefined || output === undefined) {
    throw new FormatError(`${quote(key)} is not the name of a realisation`);
  }
  if (flat === null) checkBaseName(derivation);
  return { form: flat === null ? "build-trace" : "realisation", derivation, output };
}

function parseObject(text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // The parser's message would quote the text.
    throw new FormatError("the realisation is not valid JSON");
  }
  if (!isObject(value)) throw new FormatError("the realisation is not a JSON object");
  return value;
}

function checkId(value: unknown, expected: string): void {
  if (value === expected) return;
  const id = stringOf("id", value);
  throw new FormatError(`id: ${quote(id)} does not belong to this name, which says ${quote(expected)}`);
}

function checkKey(
  key: Record<string, unknown>,
  { derivation, output }: Pick<Realisation, "derivation" | "output">,
) {
  if (baseName("key", key.drvPath) === derivation && key.outputName === output) return;
  throw new FormatError(`key: does not belong to this name, which says ${quote(`${derivation}!${output}`)}`);
}

function parseSignatures(value: unknown, isFlat: boolean): string[] {
  if (value === undefined) return [];
  if (!Array.isArray(value)) throw new FormatError("signatures: not a list");
  return [...new Set(value.map((signature) => signatureText(signature, isFlat)))];
}

/** From 2.35 Nix writes objects and reads both; older versions read only strings. */
function signatureText(value: unknown, isFlat: boolean): string {
  const text =
    isObject(value) && !isFlat
      ? `${stringOf("signatures", value.keyName)}:${stringOf("signatures", value.sig)}`
      : stringOf("signatures", value);
  inField("signatures", () => parseSignature(text));
  return text;
}

function signatureObject(signature: string): { keyName: string; sig: string } {
  const colon = signature.indexOf(":");
  return { keyName: signature.slice(0, colon), sig: signature.slice(colon + 1) };
}

function parseDependencies(value: unknown): [id: string, outPath: string][] {
  if (value === undefined) return [];
  if (!isObject(value)) throw new FormatError("dependentRealisations: not an object");
  return Object.entries(value).map(([id, outPath]) => {
    if (!DRV_OUTPUT.test(id)) {
      throw new FormatError(`dependentRealisations: ${quote(id)} is not "sha256:<hex>!<output>"`);
    }
    return [id, baseName("dependentRealisations", outPath)];
  });
}

/** Nix writes base names. A whole store path, which no Nix version reads, becomes its base name. */
function baseName(field: string, value: unknown): string {
  const text = stringOf(field, value).replace(/^\/.*\//s, "");
  inField(field, () => checkBaseName(text));
  return text;
}

function stringOf(field: string, value: unknown): string {
  if (value === undefined) throw new FormatError(`${field}: missing`);
  if (typeof value !== "string") throw new FormatError(`${field}: not a string`);
  return value;
}

/** Nix ignores unknown fields, but its JSON parser must be able to read them. */
function checkUnknown(field: string, value: unknown, depth: number): void {
  if (depth > MAX_DEPTH) throw new FormatError(`${quote(field)}: nested too deeply`);
  const texts = [field, typeof value === "string" ? value : ""];
  if (!texts.every((text) => text.isWellFormed())) {
    throw new FormatError(`${quote(field)}: holds half of a surrogate pair`);
  }
  if (typeof value !== "object" || value === null) return;
  for (const [key, inner] of Object.entries(value)) checkUnknown(key, inner, depth + 1);
}

/** Runs the parser of one field, so that its error names the field. */
function inField(field: string, parse: () => unknown): void {
  try {
    parse();
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    throw new FormatError(`${field}: ${error.message}`);
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
