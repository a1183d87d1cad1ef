// Times as reports tell them.
/** As the API tells times. */
export function isoTime(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}
