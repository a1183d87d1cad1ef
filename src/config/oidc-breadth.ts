// Finds OIDC rules that are too broad: they accept every account of the issuer.
import type { ClaimRule } from "./oidc-rule.ts";

/** For each claim that identifies the owner of a token, the beginning of a pattern that fixes the owner. */
type Identifying = Readonly<Record<string, RegExp>>;

/**
 * Public issuers, where any account gets tokens for any audience: there a rule must fix an owner.
 *
 * Left out on purpose: `actor` and `user_login`, because opening an issue in a foreign repository makes its author
 * the actor of the workflow; `job_workflow_ref`, because any repository may call a public reusable workflow; `ref`,
 * `environment`, `workflow` and the like, which every repository chooses freely.
 */
const PUBLIC_ISSUERS: Readonly<Record<string, Identifying>> = {
  // https://docs.github.com/actions/reference/security/oidc
  "https://token.actions.githubusercontent.com": {
    sub: /^(?:repo(?:sitory)?:[^*/:]+\/|repository_(?:id|owner|owner_id):[^*:]+(?::|$))/,
    repository: /^[^*/]+\//,
    repository_id: /^[^*]+$/,
    repository_owner: /^[^*]+$/,
    repository_owner_id: /^[^*]+$/,
    enterprise: /^[^*]+$/,
    enterprise_id: /^[^*]+$/,
    workflow_ref: /^[^*/]+\//,
  },
  // https://docs.gitlab.com/ci/secrets/id_token_authentication/
  "https://gitlab.com": {
    sub: /^project_path:[^*/:]+\//,
    project_path: /^[^*/]+\//,
    project_id: /^[^*]+$/,
    namespace_path: /^[^*/]+(?:\/|$)/,
    namespace_id: /^[^*]+$/,
  },
};

/** Why the claims of a rule accept every account of the issuer; `undefined` if they do not. */
export function tooBroad(issuer: string, claims: readonly ClaimRule[]): string | undefined {
  const identifying = PUBLIC_ISSUERS[issuer.replace(/\/$/, "")];
  if (identifying === undefined) {
    if (claims.some(({ patterns }) => patterns.every((pattern) => !/^\*+$/.test(pattern)))) return undefined;
    return "no claim restricts the rule, so that every account of the issuer satisfies it";
  }
  const fixes = ({ name, patterns }: ClaimRule) => {
    const begin = Object.hasOwn(identifying, name) ? identifying[name] : undefined;
    return begin !== undefined && patterns.every((pattern) => begin.test(pattern));
  };
  if (claims.some(fixes)) return undefined;
  return `anyone can get an account at ${issuer}, so one of ${Object.keys(identifying).join(", ")} must name an owner without *`;
}
