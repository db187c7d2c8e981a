/** What tests use of two packages that come without types. */
declare module 'pbf/compile' {
  /** Readers and writers of the messages of a schema. */
  export function compile(schema: unknown): Readonly<Record<string, unknown>>;
}

declare module 'protocol-buffers-schema' {
  /** The schema in a .proto text. */
  export function parse(text: string): unknown;
}
