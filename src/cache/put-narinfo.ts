// Uploading a narinfo.
import { NARINFO } from "../bucket/kinds.ts";
import type { Handler } from "../context.ts";
import { decodeUtf8, readBody } from "../http/body.ts";
import { contentCoding, decode } from "../http/encodings.ts";
import { textLine } from "../http/errors.ts";
import { narPlaceOf } from "../nix/nar-url.ts";
import { answerOf, trustedNarInfo } from "../publish/narinfo.ts";
import { publishOnUpstreams } from "../publish/on-upstreams.ts";
import { published } from "./published.ts";

/** Answers PUT of `<hash>.narinfo`: parsed, trusted, and published by the catalog. */
export const putNarInfo: Handler = async (context) => {
  const { request, path, config, identity, recentNars } = context;
  const trusted = await trustedNarInfo(await readUpload(request), config, path);
  const { info, text } = trusted;
  const nar = recentNars.find(config.cacheName, narPlaceOf(info.url).key);
  const { outcome, headers } = await published(
    request,
    path,
    (condition) =>
      publishOnUpstreams(context, (c, upstream) =>
        c.publishIf(text, identity.name, condition, upstream, nar),
      ),
    () => publishOnUpstreams(context, (c, upstream) => c.publish(text, identity.name, upstream, nar)),
  );
  const { status, message } = answerOf(trusted, outcome);
  return textLine(status, message, headers);
};

async function readUpload(request: Request): Promise<string> {
  const coding = contentCoding(request.headers.get("Content-Encoding"), NARINFO.compressionSetting);
  const body = await readBody(request, NARINFO.maxBytes);
  return decodeUtf8(coding === undefined ? body : await decode(body, coding, NARINFO.maxBytes));
}
