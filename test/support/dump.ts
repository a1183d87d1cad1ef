/** SQL dumps of catalogs, as test/fixtures/catalogs keeps them. */

/** The statements that make the tables and indexes, without the rows and the table of the schema's version. */
export function schemaIn(dump: string): string {
  const statements = dump.match(/^CREATE [^;]*;$/gm) ?? [];
  return statements.filter((statement) => !statement.startsWith("CREATE TABLE schema_version")).join("\n");
}
