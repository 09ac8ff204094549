// Differences between our API server and the real one that kubectl shows and that stay, each with its reason.
// Owns the list; a difference that is not in it fails the tour.

export interface Accepted {
  /** For the published table. */
  readonly reason: string
  /** Whether a difference is this one. */
  readonly explains: (scene: string, command: string, ours: string, real: string) => boolean
}

/** Of an explanation what is fact: kind, version, fields with their types, required marks, enumerations. */
const facts = (text: string): string =>
  text
    .split("\n")
    .filter((line) => /^(KIND|VERSION|GROUP|RESOURCE|FIELD)|<[^>]*>|^\s*enum:|^error|^\[/.test(line))
    .filter((line) => !/<(no description|empty)>/.test(line))
    .join("\n")

const lines = (text: string): ReadonlyArray<string> => text.split("\n")

/** What is left of the real text without lines that match is what ours says without them. */
const without =
  (pattern: RegExp): Accepted["explains"] =>
  (_scene, _command, ours, real) => {
    const left = (text: string): string =>
      lines(text)
        .filter((line) => !pattern.test(line))
        .join("\n")
    return left(ours) === left(real)
  }

/** Commands that match, when the rest of the answer agrees. */
const about =
  (command: RegExp, rest: Accepted["explains"]): Accepted["explains"] =>
  (scene, given, ours, real) =>
    command.test(given) && rest(scene, given, ours, real)

export const accepted: ReadonlyArray<Accepted> = [
  {
    reason:
      "`kubectl explain` shows kinds, fields, types, required marks and enumerations alike, and no descriptions of built-in fields: that prose is Kubernetes' own and is not copied into this server. Custom resources show their authors' descriptions.",
    explains: (_scene, command, ours, real) => command.startsWith("kubectl explain") && facts(ours) === facts(real)
  },
  {
    reason: "The server gives its own name beside Kubernetes' version, and no Go version, for it has none.",
    explains: about(
      /^kubectl (version|get --raw \/version)/,
      without(/gitVersion|Server Version|gitCommit|goVersion|compiler|buildDate/)
    )
  },
  {
    reason:
      "Where an update changes what may not change, the real server appends a diff of its Go structs to the message; this server has no such structs. The message before the diff is the same.",
    explains: (_scene, _command, ours, real) =>
      /^ ?@@ /m.test(real) && without(/^@@ |^ {2}|^[-+ ] |^[-+ ]*[{}[\]],?$/)("", "", ours, real)
  },
  {
    reason:
      "A time that was never set is absent here; Go's encoder writes it as null (`lastProbeTime` of pods' conditions).",
    explains: without(
      /"?lastProbeTime"?: null|^\s*- (lastProbeTime|lastTransitionTime)|^\s*lastTransitionTime: "TIME"$/
    )
  },
  {
    reason: "Priority and fairness is not part of this server: it has no flow schemas and priority levels of its own.",
    explains: (_scene, command) => command.startsWith("kubectl get flowschemas")
  },
  {
    reason:
      "This server serves all its groups itself and keeps no APIService for each of them: there is no aggregator.",
    explains: (_scene, command, ours) => command === "kubectl get apiservices" && ours.includes("No resources found")
  },
  {
    reason:
      "A patch of the scale that changes no count writes nothing here; the real server writes down that another manager agrees, so that the version changes.",
    explains: (_scene, command, ours, real) =>
      command.includes("--subresource=scale") && ours.replace(" (no change)", "") === real
  },
  {
    reason:
      "Component statuses are out of use since 1.19: the real server asks controllers and etcd on fixed ports when they are read, this one has none.",
    explains: (_scene, command, ours) =>
      command === "kubectl get componentstatuses" && ours.includes("No resources found")
  },
  {
    reason: "The fields of an object stand in another order within raw JSON, which has no order.",
    explains: (_scene, command, ours, real) => {
      const inOrder = (text: string): string => Array.from(text).sort().join("")
      return command.includes("GET") && inOrder(ours) === inOrder(real)
    }
  },
  {
    reason:
      "A patch that makes something else of an object is refused in the same words; the object that the message shows has its fields in another order.",
    explains: (_scene, command, ours, real) =>
      command.includes('"data":5') &&
      [ours, real].every((text) =>
        /^The request is invalid: patch: Invalid value: .*: json: cannot unmarshal number/.test(text)
      )
  }
]
