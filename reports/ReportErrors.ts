// What can be wrong with the files that people hand to the report commands.
// One union; each error names the file, and where it can the line or the field, and never quotes a value.
import { Schema } from "effect"

/** Nothing stands at the path. */
export class FileMissing extends Schema.TaggedError<FileMissing>()("FileMissing", { path: Schema.String }) {
  override get message() {
    return `${this.path}: no such file or folder`
  }
}

/** The operating system refused; `cause` is its reason by name. */
export class FileUnreadable extends Schema.TaggedError<FileUnreadable>()("FileUnreadable", {
  path: Schema.String,
  cause: Schema.String
}) {
  override get message() {
    return `${this.path}: cannot be read or written (${this.cause})`
  }
}

/** Line and column, from one, of the first character that does not belong. */
export class NotJson extends Schema.TaggedError<NotJson>()("NotJson", {
  path: Schema.String,
  line: Schema.Int,
  column: Schema.Int
}) {
  override get message() {
    return `${this.path}:${this.line}:${this.column}: not JSON from here on`
  }
}

/** JSON of another kind. */
export class NotARecord extends Schema.TaggedError<NotARecord>()("NotARecord", {
  path: Schema.String,
  expected: Schema.String
}) {
  override get message() {
    return `${this.path}: field "schema" does not name ${this.expected}`
  }
}

/** A field that breaks its rule; `more` counts further ones. */
export class SchemaViolated extends Schema.TaggedError<SchemaViolated>()("SchemaViolated", {
  path: Schema.String,
  field: Schema.String,
  rule: Schema.String,
  more: Schema.Int
}) {
  override get message() {
    const more = this.more === 0 ? "" : `, and ${this.more} more`
    return `${this.path}: field ${this.field || "(the document)"}: ${this.rule}${more}`
  }
}

/** The path holds nothing of what the command needs. */
export class NothingFound extends Schema.TaggedError<NothingFound>()("NothingFound", {
  path: Schema.String,
  wanted: Schema.String
}) {
  override get message() {
    return `${this.path}: holds no ${this.wanted}`
  }
}

/** `--baseline` names none of the groups that were read. */
export class BaselineUnknown extends Schema.TaggedError<BaselineUnknown>()("BaselineUnknown", {
  baseline: Schema.String,
  known: Schema.Array(Schema.String)
}) {
  override get message() {
    return `--baseline ${this.baseline}: not among ${this.known.join(", ")}`
  }
}

/** Everything that the room's commands fail with. */
export type ReportInputError =
  | FileMissing
  | FileUnreadable
  | NotJson
  | NotARecord
  | SchemaViolated
  | NothingFound
  | BaselineUnknown
