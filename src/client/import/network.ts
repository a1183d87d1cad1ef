// `fetch` by way of the proxy, and with the certificates, that the environment names, as Nix does it.
import { authorities } from "../http/transport.ts";
import type { Env } from "../settings/locations.ts";

/** For the whole process. Throws Failure where the certificates cannot be read. */
export async function followEnvironment(env: Env): Promise<void> {
  const { ca } = authorities(env);
  // They take long to load.
  const [http, tls] = await Promise.all([import("node:http"), import("node:tls")]);
  // Node before 22.19 cannot take other certificates, and before 24.14 no proxy.
  if (ca !== undefined) tls.setDefaultCACertificates?.([ca]);
  http.setGlobalProxyFromEnv?.(env);
}
