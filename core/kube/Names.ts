// Which texts may be names, labels, annotations and the like, in apimachinery's rules and words (pkg/api/validate/content and
// pkg/util/validation): users of kubectl read these messages, so they are protocol text.
// Owns the rules of single texts; which field has which rule is for the definitions of resources to say.
import type { FieldProblem } from "./Status.ts"

/** What is wrong with a text, one sentence per broken rule; empty when nothing is. */
export type NameProblems = ReadonlyArray<string>

const fine: NameProblems = []

/** Lengths are counted in bytes of UTF-8; most texts are so short that counting is not needed. */
const longerThan = (text: string, bytesMax: number): boolean =>
  text.length * 3 > bytesMax && (text.length > bytesMax || Buffer.byteLength(text) > bytesMax)

/** A rule that is a regular expression, perhaps with a length: the expression itself is part of the message. */
const pattern = (why: string, source: string, examples: ReadonlyArray<string>, bytesMax = Infinity) => {
  const expression = new RegExp(`^${source}$`)
  const shown = examples.map((example) => `'${example}', `).join(" or ")
  const message =
    examples.length === 0
      ? `${why} (regex used for validation is '${source}')`
      : `${why} (e.g. ${shown}regex used for validation is '${source}')`
  const tooLong = `must be no more than ${bytesMax} bytes`
  return (text: string): NameProblems => {
    const long = longerThan(text, bytesMax)
    if (expression.test(text)) return long ? [tooLong] : fine
    return long ? [tooLong, message] : [message]
  }
}

/** The older rules say "characters" where the newer ones say "bytes"; both count bytes. */
const inCharacters =
  (rule: (text: string) => NameProblems) =>
  (text: string): NameProblems => {
    const problems = rule(text)
    return problems.length === 0
      ? fine
      : problems.map((problem) => problem.replace(/^(must be no more than \d+) bytes$/, "$1 characters"))
  }

const label = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
const subdomain = `${label}(\\.${label})*`
const labelText = "must consist of lower case alphanumeric characters"
const bounds = "and must start and end with an alphanumeric character"

const contentSubdomain = pattern(
  `a lowercase RFC 1123 subdomain ${labelText}, '-' or '.', ${bounds}`,
  subdomain,
  ["example.com"],
  253
)
const dnsSubdomain = inCharacters(contentSubdomain)
const anyLabel = inCharacters(
  pattern(`a lowercase RFC 1123 label ${labelText} or '-', ${bounds}`, label, ["my-name", "123-abc"], 63)
)
const subdomainOnly = new RegExp(`^${subdomain}$`)

const dnsLabel = (text: string): NameProblems => {
  const problems = anyLabel(text)
  if (problems.length === 0 || !text.includes(".") || !subdomainOnly.test(text)) return problems
  return [...problems.slice(0, -1), "must not contain dots"]
}

const dns1035Label = inCharacters(
  pattern(
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character",
    "[a-z]([-a-z0-9]*[a-z0-9])?",
    ["my-name", "abc-123"],
    63
  )
)

const wildcardSubdomain = inCharacters(
  pattern(
    "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character",
    `\\*\\.${subdomain}`,
    ["*.example.com"],
    253
  )
)

const keySource = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
const keyWhy = `must consist of alphanumeric characters, '-', '_' or '.', ${bounds}`
const keyExamples = ["MyName", "my.name", "123-abc"]
const keyName = pattern(keyWhy, keySource, keyExamples)
const keyWithTwoSlashes = pattern(
  `a valid label key ${keyWhy}`,
  keySource,
  keyExamples
)("/").map((message) => `${message} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`)

const qualifiedName = (text: string): NameProblems => {
  const slash = text.indexOf("/")
  const name = text.slice(slash + 1)
  if (name.includes("/")) return keyWithTwoSlashes
  const prefix = slash < 0 ? undefined : text.slice(0, slash)
  const prefixProblems = prefix === undefined ? fine : prefix === "" ? ["must be non-empty"] : contentSubdomain(prefix)
  const length = name === "" ? "must be non-empty" : longerThan(name, 63) ? "must be no more than 63 bytes" : undefined
  const form = keyName(name)
  if (prefixProblems.length === 0 && length === undefined && form.length === 0) return fine
  return [
    ...prefixProblems.map((problem) => `prefix part ${problem}`),
    ...(length === undefined ? [] : [`name part ${length}`]),
    ...form.map((problem) => `name part ${problem}`)
  ]
}

const labelValue = pattern(
  `a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', ${bounds}`,
  `(${keySource})?`,
  ["MyValue", "my_value", "12345"],
  63
)

const portName = (text: string): NameProblems => {
  const problems: Array<string> = []
  if (longerThan(text, 15)) problems.push("must be no more than 15 characters")
  if (!/^[-a-z0-9]+$/.test(text))
    problems.push("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)")
  if (!/[a-z]/.test(text)) problems.push("must contain at least one letter (a-z)")
  if (text.includes("--")) problems.push("must not contain consecutive hyphens")
  if (text.startsWith("-") || text.endsWith("-")) problems.push("must not begin or end with a hyphen")
  return problems
}

const inRange = (value: number, min: number, max: number): NameProblems =>
  value >= min && value <= max ? fine : [`must be between ${min} and ${max}, inclusive`]

const noParentFolder = (text: string): NameProblems => {
  if (!text.startsWith(".")) return fine
  if (text === "." || text === "..") return [`must not be '${text}'`]
  return text.startsWith("..") ? ["must not start with '..'"] : fine
}

const join = (first: NameProblems, second: NameProblems): NameProblems =>
  first.length === 0 ? second : second.length === 0 ? first : [...first, ...second]

const environmentName = pattern(
  "a valid environment variable name must consist of alphabetic characters, digits, '_', '-', or '.', and must not start with a digit",
  "[-._a-zA-Z][-._a-zA-Z0-9]*",
  ["my.env-name", "MY_ENV.NAME", "MyEnvName1"]
)

const relaxedEnvironmentName = (text: string): NameProblems => {
  if (text === "") return ["environment variable name must be non-empty"]
  return /^[\x20-\x3c\x3e-\x7e]+$/.test(text)
    ? fine
    : ["a valid environment variable name must consist only of printable ASCII characters other than '='"]
}

const configKey = inCharacters(
  pattern(
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.'",
    "[-._a-zA-Z0-9]+",
    ["key.name", "KEY_NAME", "key-name"],
    253
  )
)

const pathSegment = (text: string): NameProblems => {
  if (text === "." || text === "..") return [`may not be '${text}'`]
  return ["/", "%"].flatMap((part) => (text.includes(part) ? [`may not contain '${part}'`] : fine))
}

/** A name to which a suffix will be added may end with a dash, so that dash (with the byte before it) is judged as a letter. */
const asPrefix = (text: string): string => (text.length > 1 && text.endsWith("-") ? `${text.slice(0, -2)}a` : text)

/** The rules, each a function from a text to what is wrong with it. */
export const Names = {
  /** RFC 1123 label, 63 bytes. */
  dnsLabel,
  /** RFC 1123 subdomain, 253 bytes: the name of most objects. */
  dnsSubdomain,
  /** RFC 1035 label: the name of a service. */
  dns1035Label,
  wildcardSubdomain,
  /** Also a label's key: an optional prefix and a name. */
  qualifiedName,
  labelValue,
  /** IANA service name. */
  portName,
  portNumber: (port: number): NameProblems => inRange(port, 1, 65_535),
  inRange,
  userId: (id: number): NameProblems => inRange(id, 0, 2_147_483_647),
  environmentName: (text: string): NameProblems => join(environmentName(text), noParentFolder(text)),
  relaxedEnvironmentName,
  cIdentifier: pattern(
    "a valid C identifier must start with alphabetic character or '_', followed by a string of alphanumeric characters or '_'",
    "[A-Za-z_][A-Za-z0-9_]*",
    ["my_name", "MY_NAME", "MyName"]
  ),
  /** A key of a ConfigMap's or Secret's data. */
  configKey: (text: string): NameProblems => join(configKey(text), noParentFolder(text)),
  httpHeader: pattern("a valid HTTP header must consist of alphanumeric characters or '-'", "[-A-Za-z0-9]+", [
    "X-Header-Name"
  ]),
  percent: pattern("a valid percent string must be a numeric string followed by an ending '%'", "[0-9]+%", [
    "1%",
    "93%"
  ]),
  /** Any name that can be part of a path. */
  pathSegment,
  asPrefix
} as const

/** Bytes that all annotations of an object may have together. */
export const ANNOTATION_BYTES_MAX = 262_144

const invalid = (field: string, value: string, detail: string): FieldProblem => ({
  type: "FieldValueInvalid",
  field,
  value,
  detail
})

/** What is wrong with metadata.labels. */
export const labelProblems = (
  labels: Readonly<Record<string, string>> | undefined,
  field: string
): ReadonlyArray<FieldProblem> => {
  const problems: Array<FieldProblem> = []
  for (const key in labels) {
    for (const problem of qualifiedName(key)) problems.push(invalid(field, key, problem))
    for (const problem of labelValue(labels[key] ?? "")) problems.push(invalid(field, labels[key] ?? "", problem))
  }
  return problems
}

/** What is wrong with metadata.annotations. */
export const annotationProblems = (
  annotations: Readonly<Record<string, string>> | undefined,
  field: string
): ReadonlyArray<FieldProblem> => {
  const problems: Array<FieldProblem> = []
  let bytes = 0
  for (const key in annotations) {
    for (const problem of qualifiedName(key.toLowerCase())) problems.push(invalid(field, key, problem))
    bytes += Buffer.byteLength(key) + Buffer.byteLength(annotations[key] ?? "")
  }
  if (bytes > ANNOTATION_BYTES_MAX) {
    problems.push({
      type: "FieldValueTooLong",
      field,
      detail: `may not be more than ${ANNOTATION_BYTES_MAX} bytes`
    })
  }
  return problems
}

const SUFFIX_LETTERS = "bcdfghjklmnpqrstvwxz2456789"
const SUFFIX_LENGTH = 5
const GENERATED_LENGTH_MAX = 63

/** A few random letters that spell no words (apimachinery's util/rand). */
export const randomSuffix = (random: () => number, length = SUFFIX_LENGTH): string => {
  let suffix = ""
  while (suffix.length < length) suffix += SUFFIX_LETTERS[Math.floor(random() * SUFFIX_LETTERS.length)] ?? ""
  return suffix
}

/** A name from metadata.generateName: cut to 58 letters, with five random ones after it. */
export const generatedName = (base: string, random: () => number): string =>
  base.slice(0, GENERATED_LENGTH_MAX - SUFFIX_LENGTH) + randomSuffix(random)
