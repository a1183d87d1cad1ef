// The variables that are secrets: they are in no file that is meant to be kept or shown.

export const SECRETS = ["PUSH_TOKEN", "PULL_TOKEN", "ADMIN_TOKEN", "TOKEN_SECRET", "SIGNING_KEY"] as const;

export function isSecret(name: string): boolean {
  return SECRETS.some((secret) => secret === name);
}
