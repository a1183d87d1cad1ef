// Uploading a narinfo.
import { NARINFO } from "../bucket/kinds.ts";
import type { Handler } from "../context.ts";
import { decodeUtf8, readBody } from "../http/body.ts";
import { contentCoding, decode } from "../http/encodings.ts";
import { textLine } from "../http/errors.ts";
import { answerOf, trustedNarInfo } from "../publish/narinfo.ts";
import { publishOnUpstreams } from "../publish/on-upstreams.ts";
import { published } from "./published.ts";

/** Answers PUT of `<hash>.narinfo`: parsed, trusted, and published by the catalog. */
export const putNarInfo: Handler = async (context) => {
  const { request, path, config, identity } = context;
  const trusted = await trustedNarInfo(await readUpload(request), config, path);
  const { text } = trusted;
  const { outcome, headers } = await published(
    request,
    path,
    (condition) =>
      publishOnUpstreams(context, (c, upstream) => c.publishIf(text, identity.name, condition, upstream)),
    () => publishOnUpstreams(context, (c, upstream) => c.publish(text, identity.name, upstream)),
  );
  const { status, message } = answerOf(trusted, outcome);
  return textLine(status, message, headers);
};

async function readUpload(request: Request): Promise<string> {
  const coding = contentCoding(request.headers.get("Content-Encoding"), NARINFO.compressionSetting);
  const body = await readBody(request, NARINFO.maxBytes);
  return decodeUtf8(coding === undefined ? body : await decode(body, coding, NARINFO.maxBytes));
}
