/**
 * The part of JSON Schema that the API's description uses, checked. Stricter than the standard in two ways: an
 * object has no properties but the described ones, and a keyword that is not known here is an error.
 */
import type { JsonSchema } from "../../src/api/json-schema.ts";
import { type OperationObject, openApi } from "../../src/api/openapi.ts";
import type { Operation } from "../../src/api/operation.ts";
import { OPERATIONS } from "../../src/api/operations.ts";

/** The description as the default cache serves it. */
export const DOCUMENT = openApi(OPERATIONS, "/");

/** What the description says of an operation. */
export function describedAs({ method, path }: Operation): OperationObject {
  const described = DOCUMENT.paths[`/api/v1${path}`]?.[method.toLowerCase()];
  if (described === undefined) throw new Error(`${method} ${path} is not described`);
  return described;
}

type Check = (value: unknown, schema: JsonSchema, where: string) => string[];

const CHECKS: Record<keyof JsonSchema, Check> = {
  $ref: (value, { $ref = "" }, where) => {
    const name = $ref.replace("#/components/schemas/", "");
    const target = DOCUMENT.components.schemas[name];
    return target === undefined ? [`${where}: no schema ${$ref}`] : violations(value, target, where);
  },
  type: (value, { type = [] }, where) => {
    const allowed: readonly string[] = [type].flat();
    const isNumber = typeof value === "number" && allowed.includes("number");
    return failIf(!isNumber && !allowed.includes(typeOf(value)), where, value, `no ${allowed.join(" or ")}`);
  },
  const: (value, schema, where) => failIf(value !== schema.const, where, value, `not ${schema.const}`),
  enum: (value, schema, where) =>
    failIf(!schema.enum?.includes(value), where, value, `not one of ${schema.enum?.join()}`),
  pattern: (value, schema, where) =>
    failIf(!new RegExp(schema.pattern ?? "").test(String(value)), where, value, `not like ${schema.pattern}`),
  format: (value, schema, where) =>
    failIf(
      value !== null &&
        !(schema.format === "date" ? /^\d{4}-\d\d-\d\d$/ : /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/).test(
          String(value),
        ),
      where,
      value,
      `no ${schema.format}`,
    ),
  minLength: (value, { minLength = 0 }, where) =>
    failIf(String(value).length < minLength, where, value, `shorter than ${minLength}`),
  maxLength: (value, { maxLength = 0 }, where) =>
    failIf(String(value).length > maxLength, where, value, `longer than ${maxLength}`),
  minimum: (value, { minimum = 0 }, where) =>
    failIf(typeof value === "number" && value < minimum, where, value, `below ${minimum}`),
  maximum: (value, { maximum = 0 }, where) =>
    failIf(typeof value === "number" && value > maximum, where, value, `above ${maximum}`),
  items: (value, { items = {} }, where) =>
    asArray(value).flatMap((item, index) => violations(item, items, `${where}[${index}]`)),
  minItems: (value, { minItems = 0 }, where) =>
    failIf(asArray(value).length < minItems, where, value, `shorter than ${minItems}`),
  maxItems: (value, { maxItems = 0 }, where) =>
    failIf(asArray(value).length > maxItems, where, value, `longer than ${maxItems}`),
  properties: (value, { properties = {} }, where) =>
    Object.entries(value as object).flatMap(([name, property]) => {
      const schema = Object.hasOwn(properties, name) ? properties[name] : undefined;
      const path = `${where}.${name}`;
      return schema === undefined ? [`${path}: not described`] : violations(property, schema, path);
    }),
  required: (value, { required = [] }, where) =>
    required
      .filter((name) => !Object.hasOwn(value as object, name))
      .map((name) => `${where}.${name}: absent`),
  additionalProperties: () => [],
  description: () => [],
  default: () => [],
  examples: () => [],
};

/** One line for each place where `value` is not what `schema` says. */
export function violations(value: unknown, schema: JsonSchema, where = "$"): string[] {
  const keywords = Object.keys(schema) as (keyof JsonSchema)[];
  // A value of another type would only fail the other keywords in confusing ways.
  const wrongType = schema.type === undefined ? [] : CHECKS.type(value, schema, where);
  if (wrongType.length > 0) return wrongType;
  return keywords.flatMap((keyword) => CHECKS[keyword](value, schema, where));
}

function typeOf(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "array";
  return Number.isInteger(value) ? "integer" : typeof value;
}

function asArray(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

function failIf(isWrong: boolean, where: string, value: unknown, why: string): string[] {
  return isWrong ? [`${where}: ${JSON.stringify(value)?.slice(0, 80)} is ${why}`] : [];
}
