// The configuration of the tracing server: clusters and how each is followed, filters, redaction, links, kinds and request metrics.
// Owns the schema and the complaints about a file that does not keep to it; refuses to open anything that it names.
import { isIP } from "node:net"
import { Result, Schema } from "effect"
import { parse as parseToml, TomlError } from "smol-toml"
import { parse, YAMLParseError } from "yaml"
import { builtInResources, type GroupVersionResource } from "#kube"
import { LinkRule } from "../model/LinkRules.ts"
import { MetricRule } from "../observe/RequestMetrics.ts"

const Pattern = Schema.String.check(
  Schema.makeFilter((text: string) => {
    try {
      return new RegExp(text) instanceof RegExp
    } catch {
      return "must be a regular expression"
    }
  })
)

const ResourceText = Schema.String.check(
  Schema.isPattern(/^(\*|([a-z0-9.-]+\/)?v[a-z0-9]+\/[a-z0-9.-]+|[a-z0-9.-]+)$/, {
    message: 'must be "*", a resource like pods, or GROUP/VERSION/RESOURCE'
  })
)

const Address = Schema.String.check(
  Schema.makeFilter((text: string) => (isIP(text) === 0 ? "must be an IP address" : true))
)

const WebhookUrl = Schema.String.check(
  Schema.makeFilter((text: string) => {
    const url = URL.parse(text)
    const isUsable = url !== null && /^https?:$/.test(url.protocol) && url.username === "" && url.password === ""
    return isUsable || "must be like https://HOST/audit/:cluster, without credentials"
  })
)

const Cluster = Schema.Struct({
  name: Schema.String.check(
    Schema.isPattern(/^[A-Za-z0-9]([-A-Za-z0-9_.]{0,251}[A-Za-z0-9])?$/, {
      message: "must be letters, digits, dashes, dots and underscores"
    })
  ),
  /** Whose watches are read; without it the cluster only sends audit events. */
  kubeconfig: Schema.optionalKey(Schema.NonEmptyString),
  context: Schema.optionalKey(Schema.NonEmptyString),
  /** What is watched. Default: everything that Kubernetes has itself, and its events. */
  watch: Schema.optionalKey(Schema.Array(ResourceText)),
  /** A file that its API server writes. */
  auditLog: Schema.optionalKey(Schema.NonEmptyString),
  /** Addresses of its API servers: what comes from them to /audit, without a name, is this cluster's. */
  peerAddresses: Schema.optionalKey(Schema.Array(Address))
})
export type ClusterConfig = typeof Cluster.Type

const Kind = Schema.Struct({
  group: Schema.String,
  kind: Schema.NonEmptyString,
  resource: Schema.NonEmptyString,
  namespaced: Schema.Boolean
})

export const TracingConfig = Schema.Struct({
  clusters: Schema.optionalKey(Schema.Array(Cluster)),
  filters: Schema.optionalKey(
    Schema.Struct({
      excludeTypes: Schema.optionalKey(Schema.Array(Schema.NonEmptyString)),
      excludeUserAgents: Schema.optionalKey(Schema.Array(Schema.NonEmptyString)),
      excludeRegex: Schema.optionalKey(Pattern),
      /** NAMESPACE/NAME of a ConfigMap whose key exclude-regex is followed. */
      configMap: Schema.optionalKey(
        Schema.String.check(Schema.isPattern(/^[^/]+\/[^/]+$/, { message: "must be NAMESPACE/NAME" }))
      )
    })
  ),
  /** On "group/version/resource/namespace/name": kept by name and version alone. */
  redact: Schema.optionalKey(Schema.Array(Pattern)),
  links: Schema.optionalKey(
    Schema.Struct({ rules: Schema.Array(LinkRule), withDefaults: Schema.optionalKey(Schema.Boolean) })
  ),
  kinds: Schema.optionalKey(Schema.Array(Kind)),
  /** Other audit webhooks that every batch is sent on to once it is durable; ":cluster" stands for the cluster's name. */
  forward: Schema.optionalKey(
    Schema.Array(
      Schema.Struct({
        url: WebhookUrl,
        /** A file that holds its bearer token. */
        tokenFile: Schema.optionalKey(Schema.NonEmptyString)
      })
    )
  ),
  /** A file that every audit event is added to as a line, as far as it may be kept; ":cluster" in its path makes one for each cluster. */
  dump: Schema.optionalKey(
    Schema.Struct({
      path: Schema.NonEmptyString,
      /** The file's size at which a new one is begun; the one before it is kept. Default 1024. */
      maxMib: Schema.optionalKey(Schema.Int.check(Schema.isGreaterThanOrEqualTo(1)))
    })
  ),
  requestMetrics: Schema.optionalKey(Schema.Array(MetricRule))
})
export type TracingConfig = typeof TracingConfig.Type

/** A configuration file that cannot be used; `detail` names the field and the rule. */
export class TracingConfigInvalid extends Schema.TaggedError<TracingConfigInvalid>()("TracingConfigInvalid", {
  path: Schema.String,
  detail: Schema.String
}) {
  override get message(): string {
    return `${this.path}: ${this.detail}`
  }
}

const options = { onExcessProperty: "error", errors: "all" } as const
const decode = Schema.decodeUnknownResult(TracingConfig, options)
/** The original's kelemetrix.toml. */
const decodeMetrics = Schema.decodeUnknownResult(Schema.Struct({ metrics: Schema.Array(MetricRule) }), options)

type Parsed<A> = Result.Result<A, TracingConfigInvalid>

/** A file's content: TOML when its name says so, else YAML. */
const contentOf = (path: string, text: string): Parsed<unknown> => {
  const isToml = path.endsWith(".toml")
  try {
    return Result.succeed((isToml ? parseToml(text) : parse(text)) ?? {})
  } catch (error) {
    const known = error instanceof YAMLParseError || error instanceof TomlError
    const detail = known ? error.message.split("\n")[0] : `must be ${isToml ? "TOML" : "YAML"}`
    return Result.fail(new TracingConfigInvalid({ path, detail }))
  }
}

const decodedBy =
  <A>(read: (value: unknown) => Result.Result<A, { readonly message: string }>, path: string) =>
  (value: unknown): Parsed<A> =>
    Result.mapError(
      read(value),
      ({ message }) => new TracingConfigInvalid({ path, detail: message.replaceAll(/\s*\n\s*/g, " ") })
    )

/** Reads a configuration file's text. */
export const parseTracingConfig = (path: string, text: string): Parsed<TracingConfig> =>
  Result.flatMap(Result.flatMap(contentOf(path, text), decodedBy(decode, path)), (config) => {
    const names = (config.clusters ?? []).map(({ name }) => name)
    const twice = names.find((name, at) => names.indexOf(name) !== at)
    if (twice === undefined) return Result.succeed(config)
    return Result.fail(new TracingConfigInvalid({ path, detail: `clusters: ${twice} is there twice` }))
  })

/** Reads request metrics as the original's files hold them: `[[metrics]]`, in TOML or YAML. */
export const parseMetricRules = (path: string, text: string): Parsed<ReadonlyArray<MetricRule>> =>
  Result.map(Result.flatMap(contentOf(path, text), decodedBy(decodeMetrics, path)), ({ metrics }) => metrics)

const isNoise = ({ group, resource }: { readonly group: string; readonly resource: string }): boolean =>
  (group === "events.k8s.io" && resource === "events") || group === "coordination.k8s.io"

/** The resources that texts stand for; an unknown plain name is answered as undefined. */
export const watchedResources = (texts: ReadonlyArray<string>): ReadonlyArray<GroupVersionResource> | string => {
  const found = new Map<string, GroupVersionResource>()
  const add = ({ group, resource, version }: GroupVersionResource): void => {
    if (!found.has(`${group}/${resource}`)) found.set(`${group}/${resource}`, { group, resource, version })
  }
  for (const text of texts) {
    const parts = text.split("/")
    if (text === "*") {
      for (const known of builtInResources())
        if (known.verbs.includes("watch") && !isNoise(known) && isStable(known)) add(known)
    } else if (parts.length === 1) {
      const known = builtInResources().find(({ resource, version }) => resource === text && isStable({ version }))
      if (known === undefined) return text
      add(known)
    } else {
      const [resource = "", version = "", group = ""] = parts.toReversed()
      add({ group, version, resource })
    }
  }
  return [...found.values()]
}

/** Alpha and beta versions are served only where somebody asked for them. */
const isStable = ({ version }: { readonly version: string }): boolean => /^v\d+$/.test(version)
