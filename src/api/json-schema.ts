// Valibot's schemas as JSON Schema 2020-12. Not its own converter: that is larger than the library (13 KB).
import type * as v from "valibot";

/** The part of JSON Schema that is used here. */
export interface JsonSchema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly description?: string;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly pattern?: string;
  readonly format?: string;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly default?: unknown;
  readonly items?: JsonSchema;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean;
  readonly examples?: readonly unknown[];
}

/** Named shapes. */
export type Components = Record<string, JsonSchema>;

/** A schema of valibot, or a step of its pipe; `type` decides which properties exist. */
interface Part {
  readonly kind: string;
  readonly type: string;
  readonly pipe?: readonly Part[];
  readonly entries?: Readonly<Record<string, Part>>;
  readonly item?: Part;
  readonly wrapped?: Part;
  readonly default?: unknown;
  readonly options?: readonly unknown[];
  readonly literal?: unknown;
  readonly requirement?: unknown;
  readonly description?: string;
  readonly title?: string;
  readonly examples?: readonly unknown[];
  readonly metadata?: Readonly<Record<string, unknown>>;
}

/** With `components`, a named shape is added to them and becomes a reference. */
export function jsonSchema(schema: v.GenericSchema | Part | undefined, components?: Components): JsonSchema {
  const part: Part = schema ?? { kind: "schema", type: "absent" };
  if (part.pipe === undefined) return keywordsOf(part, {}, components);
  const name = part.pipe.find(({ type }) => type === "title")?.title;
  let whole: JsonSchema = {};
  for (const step of part.pipe) {
    const keywords = step.pipe ? jsonSchema(step, components) : keywordsOf(step, whole, components);
    whole = { ...whole, ...keywords };
  }
  if (name === undefined || components === undefined) return whole;
  components[name] = whole;
  return { $ref: `#/components/schemas/${name}` };
}

function keywordsOf(part: Part, before: JsonSchema, components: Components | undefined): JsonSchema {
  const { type, requirement } = part;
  const size = before.type === "array" ? "Items" : "Length";
  switch (type) {
    case "string":
    case "number":
    case "boolean":
    case "integer":
      return { type };
    case "array":
      return { type, items: jsonSchema(part.item, components) };
    case "object":
      return objectOf(part, components);
    case "picklist":
      return { type: "string", enum: part.options ?? [] };
    case "literal":
      return { type: "string", const: part.literal };
    case "nullable": {
      const inner = jsonSchema(part.wrapped, components);
      return { ...inner, type: [inner.type ?? [], "null"].flat() };
    }
    case "exact_optional": {
      const inner = jsonSchema(part.wrapped, components);
      return part.default === undefined ? inner : { ...inner, default: part.default };
    }
    case "regex":
      return { pattern: (requirement as RegExp).source };
    case "metadata":
      return part.metadata ?? {};
    case "min_value":
      return { minimum: requirement as number };
    case "max_value":
      return { maximum: requirement as number };
    case "min_length":
      return { [`min${size}`]: requirement };
    case "max_length":
      return { [`max${size}`]: requirement };
    case "description":
      return { description: part.description ?? "" };
    case "examples":
      return { examples: part.examples ?? [] };
    // Not part of the JSON: the schema describes the value before a transformation.
    case "title":
    case "readonly":
    case "transform":
    case "custom":
      return {};
    default:
      throw new Error(`no JSON Schema for ${type}`);
  }
}

function objectOf({ entries = {} }: Part, components: Components | undefined): JsonSchema {
  const all = Object.entries(entries);
  return {
    type: "object",
    properties: Object.fromEntries(all.map(([name, entry]) => [name, jsonSchema(entry, components)])),
    required: all.filter(([, entry]) => entry.type !== "exact_optional").map(([name]) => name),
  };
}
