// Which requests and objects nobody wants to trace, as the original's filters say.
// Owns the judgement and its defaults; refuses to count, which whoever asks does by the reason that it is told.
import type { ObjectKey } from "../model/ObjectKey.ts"

export interface FilterOptions {
  /** "resource" of the core group, or "group/resource". */
  readonly excludeTypes: ReadonlyArray<string>
  /** Parts of a user agent. */
  readonly excludeUserAgents: ReadonlyArray<string>
  /** On "group/version/resource/namespace/name". */
  readonly excludeRegex: RegExp | undefined
}

/** The original's. */
export const defaultFilter: FilterOptions = {
  excludeTypes: ["events", "events.k8s.io/events", "coordination.k8s.io/leases"],
  excludeUserAgents: ["/leader-election", "local-path-provisioner/"],
  excludeRegex: undefined
}

/** "group/version/resource/namespace/name", as users' expressions see an object. */
export const objectPath = ({ group, name, namespace, resource }: ObjectKey, version: string): string =>
  `${group}/${version}/${resource}/${namespace}/${name}`

export class Filter {
  private readonly types: ReadonlySet<string>
  private readonly agents: ReadonlyArray<string>
  private regex: RegExp | undefined

  constructor({ excludeRegex, excludeTypes, excludeUserAgents }: FilterOptions) {
    this.types = new Set(excludeTypes)
    this.agents = excludeUserAgents
    this.regex = excludeRegex
  }

  /** The live part: what a ConfigMap says now. */
  setRegex(regex: RegExp | undefined): void {
    this.regex = regex
  }

  excludesType(group: string, resource: string): boolean {
    return this.types.has(group === "" ? resource : `${group}/${resource}`)
  }

  excludesAgent(userAgent: string): boolean {
    return this.agents.some((part) => userAgent.includes(part))
  }

  excludesObject(key: ObjectKey, version: string): boolean {
    return this.regex !== undefined && this.regex.test(objectPath(key, version))
  }
}
