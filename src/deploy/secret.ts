// What is said of a secret that stands in one's own settings.

/** Without its value. */
export function secretProblem(name: string): string {
  return `${name}: is a secret, which stands in no such file; set it by 'npm run wrangler -- secret put ${name}', on this machine by a line in .dev.vars`;
}
