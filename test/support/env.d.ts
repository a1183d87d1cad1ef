/** Types that the plugin cannot take from wrangler.toml: the types of `env` and `exports` of "cloudflare:workers". */
declare namespace Cloudflare {
  interface Env {
    BUCKET: R2Bucket;
    CATALOG: DurableObjectNamespace<import("../../src/catalog/catalog.ts").Catalog>;
  }
  interface GlobalProps {
    mainModule: typeof import("../../src/index.ts");
  }
}
