// The requests of a push tool to the catalog: `missing` for many paths, and publishing.
import { PUSH_TOKEN, putQuestion } from "../contest.ts";
import { applyLoad } from "../load.ts";
import { makeNar, makeNarInfo, storeHash } from "../objects.ts";
import { publishedPaths, publishNarInfos } from "./narinfo.ts";
import { DURATION, REQUEST_RATE, type Scenario, WORKERS } from "./scenario.ts";

const ASKED = 20_000;
const PUBLISHED = 1_000;
const PUBLISH_CONNECTIONS = 16;
const NAR_BYTES = 1_000;

/** The other contenders have no such request. `npm run bench:catalog` shows its growth with the catalog. */
const missing: Scenario = {
  id: "missing",
  title: `which of ${ASKED.toLocaleString("en")} are missing`,
  contenders: ["worker"],
  turns: 4,
  measures: [{ unit: "ms", of: ({ seconds, requests }) => (seconds * 1000) / requests }],
  prepare: publishNarInfos,
  run: async ({ url }, _, signal) => {
    const here = publishedPaths().map((path) => path.slice(1, 33));
    const paths = [...here, ...Array.from({ length: ASKED - here.length }, storeHash)];
    const body = [new TextEncoder().encode(JSON.stringify({ paths }))];
    const headers = { Authorization: `Bearer ${PUSH_TOKEN}` };
    const question = { method: "POST", path: "/api/v1/missing", headers, body, status: 200 } as const;
    return applyLoad(url, () => question, { connections: 1, requests: 1 }, signal);
  },
};

/** New paths each time, of one NAR, with references to paths that are here. The ten lines only put them. */
const publish: Scenario = {
  id: "publish",
  title: `publish ${PUBLISHED.toLocaleString("en")} narinfos`,
  contenders: WORKERS,
  turns: 1,
  measures: [REQUEST_RATE, { ...DURATION, label: "all of them" }],
  prepare: publishNarInfos,
  run: async (contender, _, signal) => {
    const nar = makeNar(NAR_BYTES);
    await contender.put(nar);
    const references = publishedPaths().map((path) => `${path.slice(1, 33)}-example-package-1.2.3`);
    const questions = Array.from({ length: PUBLISHED }, () => putQuestion(makeNarInfo(nar, references)));
    const next = () => {
      const question = questions.pop();
      if (question === undefined) throw new Error("more requests than narinfos");
      return question;
    };
    return applyLoad(contender.url, next, { connections: PUBLISH_CONNECTIONS, requests: PUBLISHED }, signal);
  },
};

export const API: readonly Scenario[] = [missing, publish];
