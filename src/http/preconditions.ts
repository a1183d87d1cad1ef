// Conditional requests (RFC 9110, section 13). The bucket's `onlyIf` cannot decide them: it throws on a malformed header
// and does not say which condition failed.

/** The validators of the current object. */
export interface Validators {
  /** As in the ETag header: quoted, with `W/` where it is weak. */
  readonly etag: string;
  /** Absent if the document has no date: conditions on dates are then ignored (13.1.3, 13.1.4). */
  readonly lastModified?: Date;
}

/** The status that the conditions of a GET or HEAD give, in the order of 13.2.2; 200 means proceed. */
export function evaluatePreconditions(headers: Headers, current: Validators): 200 | 304 | 412 {
  const ifMatch = headers.get("If-Match");
  if (ifMatch !== null) {
    if (!anyMatches(ifMatch, current.etag, strongMatch)) return 412;
  } else {
    const since = httpDate(headers.get("If-Unmodified-Since"));
    if (since !== undefined && seconds(current.lastModified) > since) return 412;
  }
  const ifNoneMatch = headers.get("If-None-Match");
  if (ifNoneMatch !== null) {
    if (anyMatches(ifNoneMatch, current.etag, weakMatch)) return 304;
  } else {
    const since = httpDate(headers.get("If-Modified-Since"));
    if (since !== undefined && seconds(current.lastModified) <= since) return 304;
  }
  return 200;
}

/** The conditions of a write, as they were sent. Plain data: it crosses to the catalog. */
export interface WriteCondition {
  readonly ifMatch?: string;
  readonly ifNoneMatch?: string;
  readonly ifUnmodifiedSince?: string;
}

/** The conditions of a PUT or POST; `undefined` if it has none. */
export function writeCondition(headers: Headers): WriteCondition | undefined {
  if (!hasPreconditions(headers)) return undefined;
  const [ifMatch, ifNoneMatch, ifUnmodifiedSince] = [
    headers.get("If-Match"),
    headers.get("If-None-Match"),
    headers.get("If-Unmodified-Since"),
  ];
  return {
    ...(ifMatch !== null && { ifMatch }),
    ...(ifNoneMatch !== null && { ifNoneMatch }),
    ...(ifUnmodifiedSince !== null && { ifUnmodifiedSince }),
  };
}

/** Whether the conditions let a write happen over the current object, if there is one (13.2.2). */
export function allowsWrite(condition: WriteCondition, current: Validators | undefined): boolean {
  const { ifMatch, ifNoneMatch, ifUnmodifiedSince } = condition;
  if (ifMatch !== undefined) {
    if (current === undefined || !anyMatches(ifMatch, current.etag, strongMatch)) return false;
  } else if (current !== undefined) {
    const since = httpDate(ifUnmodifiedSince);
    if (since !== undefined && seconds(current.lastModified) > since) return false;
  }
  return (
    ifNoneMatch === undefined || current === undefined || !anyMatches(ifNoneMatch, current.etag, weakMatch)
  );
}

/** Whether If-Range permits a range (13.1.5): its validator must be the current one. */
export function ifRangeHolds(headers: Headers, current: Validators): boolean {
  const value = headers.get("If-Range")?.trim();
  if (value === undefined) return true;
  if (value.startsWith('"') || value.startsWith("W/")) return strongMatch(value, current.etag);
  const date = httpDate(value);
  return date !== undefined && date === seconds(current.lastModified);
}

/** Whether there is any condition; most requests have none. */
export function hasPreconditions(headers: Headers): boolean {
  return (
    headers.has("If-None-Match") ||
    headers.has("If-Modified-Since") ||
    headers.has("If-Match") ||
    headers.has("If-Unmodified-Since")
  );
}

function anyMatches(header: string, etag: string, match: (a: string, b: string) => boolean): boolean {
  if (header.trim() === "*") return true;
  return (header.match(/(?:W\/)?"[\x21\x23-\x7e\x80-\xff]*"/g) ?? []).some((tag) => match(tag, etag));
}

function strongMatch(a: string, b: string): boolean {
  return a === b && !a.startsWith("W/");
}

function weakMatch(a: string, b: string): boolean {
  return a.replace(/^W\//, "") === b.replace(/^W\//, "");
}

/** Seconds since the epoch of an HTTP-date; an invalid one is ignored, as 13.1.3 asks. */
function httpDate(value: string | null | undefined): number | undefined {
  if (value === null || value === undefined || !/^[A-Z][a-z]{2}/.test(value)) return undefined;
  const time = Date.parse(value);
  return Number.isNaN(time) ? undefined : Math.floor(time / 1000);
}

/** HTTP dates have whole seconds. NaN without a date: every comparison with it is false. */
function seconds(date: Date | undefined): number {
  return date === undefined ? Number.NaN : Math.floor(date.getTime() / 1000);
}
