// An upstream: a directory that `nix copy` has filled, served by HTTPS on loopback with a certificate of its own.
import { execFileSync } from "node:child_process";
import { createReadStream, readFileSync, statSync } from "node:fs";
import { createServer } from "node:https";
import { join } from "node:path";
import { scratchDir } from "./client.ts";
import { newKey, type SigningKey } from "./keys.ts";
import { listen } from "./proxy.ts";

export interface TlsUpstream {
  readonly url: string;
  /** To be filled: `nix copy --to STORE_URL`, which signs. */
  readonly storeUrl: string;
  readonly key: SigningKey;
  /** A file with the certificate, for `ssl-cert-file` and NODE_EXTRA_CA_CERTS. */
  readonly certificate: string;
  /** As a value of the variable UPSTREAMS. */
  readonly variable: (more?: object) => string;
  /** Paths that were asked for, in order. */
  readonly seen: string[];
  /** Whether any request of our cache had a credential. */
  readonly sawCredential: () => boolean;
  readonly stop: () => Promise<void>;
}

export async function startTlsUpstream(writeKey: (text: string) => string): Promise<TlsUpstream> {
  const [dir, tls] = [scratchDir(), scratchDir()];
  const [keyFile, certificate] = [join(tls, "key.pem"), join(tls, "cert.pem")];
  execFileSync(
    "openssl",
    [
      ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"],
      ...["-keyout", keyFile, "-out", certificate, "-days", "2", "-subj", "/CN=127.0.0.1"],
      ...["-addext", "subjectAltName=IP:127.0.0.1"],
    ],
    { stdio: "ignore" },
  );
  const key = newKey("upstream.test-1");
  const seen: string[] = [];
  let hasCredential = false;
  const server = createServer(
    { key: readFileSync(keyFile), cert: readFileSync(certificate) },
    ({ method, url = "/", headers }, response) => {
      seen.push(url);
      // Nix itself sends its netrc to every port of the machine.
      const isOurs = headers["user-agent"] === "nix-cache";
      hasCredential ||= isOurs && (headers.authorization !== undefined || headers.cookie !== undefined);
      const file = join(dir, decodeURIComponent(url.replace(/\?.*/, "")));
      const stat = file.startsWith(`${dir}/`) ? statSync(file, { throwIfNoEntry: false }) : undefined;
      if (!stat?.isFile()) return void response.writeHead(404).end();
      response.writeHead(200, { "Content-Length": stat.size });
      if (method === "HEAD") response.end();
      else createReadStream(file).pipe(response);
    },
  );
  const { port, stop } = await listen(server);
  const url = `https://127.0.0.1:${port}`;
  return {
    url,
    storeUrl: `file://${dir}?secret-key=${writeKey(key.secret)}`,
    key,
    certificate,
    variable: (more = {}) => JSON.stringify([{ url, public_keys: [key.public], ...more }]),
    seen,
    sawCredential: () => hasCredential,
    stop,
  };
}
