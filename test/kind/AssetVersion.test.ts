// Versions as the real programs phrase them: each answer here was recorded from the program itself.
import { assert, describe, it } from "@effect/vitest"
import { NodeServices } from "@effect/platform-node"
import { Effect } from "effect"
import { askVersion, isAtLeast, parseVersion } from "../../kind/AssetVersion.ts"

const recorded: ReadonlyArray<readonly [string, string, string]> = [
  [
    "etcd",
    "etcd Version: 3.7.3\nGit SHA: Not provided (use ./build instead of go build)\nGo Version: go1.26.8\n",
    "3.7.3"
  ],
  [
    "etcd 3.4",
    "etcd Version: 3.4.23\nGit SHA: Not provided\nGo Version: go1.19.8\nGo OS/Arch: linux/amd64\n",
    "3.4.23"
  ],
  ["etcdctl", "etcdctl version: 3.7.3\nAPI version: 3.7\n", "3.7.3"],
  ["kube-apiserver", "Kubernetes v1.37.2\n", "1.37.2"],
  ["kubectl", "Client Version: v1.37.2\nKustomize Version: v5.8.1\n", "1.37.2"],
  ["an older kubectl", 'Client Version: version.Info{Major:"1", Minor:"20", GitVersion:"v1.20.1"}\n', "1.20.1"],
  ["a vendor's kubectl", "Client Version: v1.32.4-dispatcher\nKustomize Version: v5.5.0\n", "1.32.4-dispatcher"],
  ["kwok", "kwok version v0.8.0 go1.26.8 (linux/amd64)\n", "0.8.0"],
  ["h2spec", "Version: 2.2.1 (v2.2.1)\n", "2.2.1"],
  ["h2load", "h2load nghttp2/1.52.0\n", "1.52.0"],
  ["curl", "curl 7.88.1 (x86_64-pc-linux-gnu) libcurl/7.88.1 OpenSSL/3.0.17\nRelease-Date: 2023-02-20\n", "7.88.1"],
  ["chromium", "Chromium 156.0.8078.79 built on Debian GNU/Linux 12 (bookworm)\n", "156.0.8078.79"],
  ["go", "go1.26.8\n", "1.26.8"],
  ["a program that warns first", "W1124 10.20.30 deprecated flag\ntool version 2.5\n", "2.5"]
]

describe("parseVersion", () => {
  for (const [name, answer, version] of recorded) {
    it(`reads ${name}`, () => assert.strictEqual(parseVersion(answer), version))
  }

  it("finds none where there is none", () => {
    for (const answer of ["", "unknown flag: --version", "node7", "v3", "a.b.c"]) {
      assert.strictEqual(parseVersion(answer), undefined, answer)
    }
  })
})

describe("isAtLeast", () => {
  it("compares numbers, not letters", () => {
    assert.isTrue(isAtLeast("1.37.2", "1.9"))
    assert.isFalse(isAtLeast("1.9", "1.37.2"))
  })

  it("takes missing parts as zero and a pre-release as its release", () => {
    assert.isTrue(isAtLeast("3.7", "3.7.0"))
    assert.isTrue(isAtLeast("3.7.0", "3.7"))
    assert.isTrue(isAtLeast("3.7.0-rc.1", "3.7"))
    assert.isFalse(isAtLeast("3.6.99", "3.7"))
  })
})

describe("askVersion", () => {
  it.effect("asks the program and reads standard error if there is nothing else", () =>
    Effect.gen(function* () {
      assert.match((yield* askVersion(process.execPath, ["--version"])) ?? "", /^26\./)
      assert.strictEqual(yield* askVersion("sh", ["-c", "echo tool version 4.5 >&2; exit 3"]), "4.5")
    }).pipe(Effect.provide(NodeServices.layer))
  )

  it.effect("has no answer for what cannot be run or says nothing", () =>
    Effect.gen(function* () {
      assert.isUndefined(yield* askVersion("/nonexistent/program", []))
      assert.isUndefined(yield* askVersion("true", []))
    }).pipe(Effect.provide(NodeServices.layer))
  )
})
