/** What tests use of two packages that come without types. */
declare module 'pbf/compile' {
  /** Readers and writers of the messages of a schema. */
  export function compile(schema: unknown): Readonly<Record<string, unknown>>;
}

declare module 'protocol-buffers-schema' {
  /** Reads the schema in a .proto text. */
  const schema: { parse(text: string): unknown };
  export default schema;
}
