// h2spec, the conformance suite for HTTP/2 (written for RFC 7540), against a running server. All 145 cases pass; among them are
// those on stream dependencies, which RFC 9113 deprecates but does not forbid to check.
import { assert, it } from "vitest"
import { startEcho } from "./EchoService.ts"
import { judge } from "../Judges.ts"
import { run } from "./RealPrograms.ts"

it("passes every case of h2spec", async () => {
  const h2spec = await judge("h2spec")
  const fixture = await startEcho()
  try {
    const { text } = await run(h2spec, ["-h", "127.0.0.1", "-p", String(fixture.listening.port), "-o", "2"])
    const failed = text.split("\n").filter((line) => line.includes("×"))
    assert.match(text, /145 tests, 145 passed, 0 skipped, 0 failed/, failed.join("\n"))
  } finally {
    await fixture.close()
  }
})
