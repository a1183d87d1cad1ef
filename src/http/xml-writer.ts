// Writes XML documents of S3: elements within elements.
export type Content = string | number | boolean | readonly Element[];

export type Element = readonly [name: string, content: Content];

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&apos;",
  "\r": "&#13;",
};
const NAMESPACE = ' xmlns="http://s3.amazonaws.com/doc/2006-03-01/"';

export function given(element: string, text: string | undefined): Element[] {
  return text ? [[element, text]] : [];
}

export function document(name: string, content: Content, namespace = NAMESPACE): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n<${name}${namespace}>${markup(content)}</${name}>`;
}

function markup(content: Content): string {
  if (!Array.isArray(content)) return escapeText(String(content));
  return content.map(([name, inner]: Element) => `<${name}>${markup(inner)}</${name}>`).join("");
}

/**
 * XML 1.0 cannot represent most control characters: they become the replacement character. Use named entities where
 * they exist, because some clients do not read their numeric forms. A bare CR would be read as LF.
 */
function escapeText(text: string): string {
  return text.replace(
    /[&<>"'\r]|[^\t\n\x20-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu,
    (character) => ENTITIES[character] ?? "\ufffd",
  );
}

export function encodeKey(key: string): string {
  const encoded = encodeURIComponent(key.toWellFormed()).replaceAll("%2F", "/");
  return encoded.replace(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`);
}
