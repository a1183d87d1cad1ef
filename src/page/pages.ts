// All pages: the module that is loaded when the first of them is asked for.
export { asset } from "./assets.ts";
export { filesPage } from "./files.ts";
export { logPage } from "./log.ts";
export { pathPage } from "./path.ts";
export { rawFile, servedFile } from "./raw.ts";
export { refusalPage } from "./refusal.ts";
export { searchPage } from "./search.ts";
export { statePage } from "./state.ts";
export { usePage } from "./use.ts";
