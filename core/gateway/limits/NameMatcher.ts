// Whether a user, or one of their groups, is on a list of names, of which a trailing `*` makes a prefix.
// Owns the matching; refuses to know what it is asked for.
import type { UserInfo } from "#apiserver"

class Names {
  private readonly exact: ReadonlySet<string>
  private readonly prefixes: ReadonlyArray<string>

  constructor(names: ReadonlyArray<string>) {
    this.exact = new Set(names.filter((name) => !name.endsWith("*")))
    this.prefixes = names.filter((name) => name.endsWith("*")).map((name) => name.slice(0, -1))
  }

  has(name: string): boolean {
    return this.exact.has(name) || this.prefixes.some((prefix) => name.startsWith(prefix))
  }
}

export class NameMatcher {
  private readonly users: Names
  private readonly groups: Names

  constructor(users: ReadonlyArray<string>, groups: ReadonlyArray<string>) {
    this.users = new Names(users)
    this.groups = new Names(groups)
  }

  matches({ groups, name }: UserInfo): boolean {
    return this.users.has(name) || groups.some((group) => this.groups.has(group))
  }
}
