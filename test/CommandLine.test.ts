// The command line as its help shows it: every command has an example, and every command that a Markdown page shows
// exists. Asks the real launcher, so that what is tested is what people type.
import { execFile } from "node:child_process"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { assert, describe, it } from "vitest"
import { readTree } from "./Tidy.ts"

const launcher = fileURLToPath(new URL("../bin/wharf", import.meta.url))

interface Help {
  readonly text: string
  readonly subcommands: ReadonlyMap<string, Help>
}

const helpOf = async (path: ReadonlyArray<string>): Promise<Help> => {
  const { stdout } = await promisify(execFile)(launcher, [...path, "--help"], {
    env: { ...process.env, NO_COLOR: "1" }
  })
  const [, listed = ""] = /\nSUBCOMMANDS\n((?: {2}.*\n?)*)/.exec(stdout) ?? []
  const names = Array.from(listed.matchAll(/^ {2}([a-z][\w-]*)/gm), ([, name = ""]) => name)
  const below = await Promise.all(names.map(async (name) => [name, await helpOf([...path, name])] as const))
  return { text: stdout, subcommands: new Map(below) }
}

/** The command paths in a text: what follows `wharf` up to the first word that is not a plain command name. */
const commandsIn = (text: string): ReadonlyArray<ReadonlyArray<string>> =>
  Array.from(text.matchAll(/(?:^|`|\$ |npx |bin\/)wharf((?: [a-z][a-z-]*(?![\w./:=]))+)/gm), ([, words = ""]) =>
    words.trim().split(" ")
  )

/** The first word of a path that no command has; words after a command without subcommands are its arguments. */
const unknownWord = (help: Help, path: ReadonlyArray<string>): string | undefined => {
  const [word, ...rest] = path
  if (word === undefined || help.subcommands.size === 0) return undefined
  const next = help.subcommands.get(word)
  return next === undefined ? word : unknownWord(next, rest)
}

const withoutExample = (help: Help, path: string): ReadonlyArray<string> => [
  ...(help.text.includes("\nEXAMPLES\n") ? [] : [path]),
  ...Array.from(help.subcommands, ([name, below]) => withoutExample(below, `${path} ${name}`)).flat()
]

describe("the command line", async () => {
  const help = await helpOf([])

  it("has the commands of its rooms", () => {
    assert.include(Array.from(help.subcommands.keys()), "assets")
    assert.include(Array.from(help.subcommands.get("assets")!.subcommands.keys()), "build")
  })

  it("shows an example in every help", () => {
    assert.deepStrictEqual(withoutExample(help, "wharf"), [])
    assert.deepStrictEqual(withoutExample({ text: "USAGE\n", subcommands: new Map() }, "wharf"), ["wharf"])
  })

  it("has every command that a page shows", () => {
    for (const [path, text] of readTree()) {
      if (!path.endsWith(".md")) continue
      for (const command of commandsIn(text)) {
        assert.isUndefined(unknownWord(help, command), `${path} shows wharf ${command.join(" ")}`)
      }
    }
  })

  it("would notice a command that is not there", () => {
    const shown = commandsIn(
      "    wharf assets build etcd\n`wharf fly high`\nbin/wharf assets --json\nthe wharf is long"
    )
    assert.deepStrictEqual(shown, [["fly", "high"], ["assets"]])
    assert.deepStrictEqual(commandsIn("wharf assets build etcd\n"), [["assets", "build", "etcd"]])
    assert.strictEqual(unknownWord(help, ["fly", "high"]), "fly")
    assert.strictEqual(unknownWord(help, ["assets", "sink"]), "sink")
    assert.isUndefined(unknownWord(help, ["assets", "build", "etcd"]))
  })
})
