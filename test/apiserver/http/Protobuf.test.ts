// Bodies in Protocol Buffers: what a typed Go client sends in this form is the object that it would have sent in JSON.
import { readFileSync } from "node:fs"
import { assert, describe, it } from "vitest"
import { ApiFailure, type Json } from "#kube"
import { decodeProtobuf } from "../../../core/apiserver/http/ProtobufBody.ts"
import { makeRig } from "./FrontRig.ts"

const golden = JSON.parse(readFileSync(new URL("../protobuf/golden.json", import.meta.url), "utf8")) as ReadonlyArray<{
  readonly json: { readonly kind: string }
  readonly proto: string
}>

const decoded = (bytes: Uint8Array): Json => {
  const answer = decodeProtobuf(bytes, "Thing")
  if (answer instanceof ApiFailure) throw answer
  return answer.value
}

/** JSON says null for what is not there, and so does ours by leaving it out. */
const withoutNulls = (value: unknown): unknown =>
  JSON.parse(JSON.stringify(value), (_name, field: unknown) => (field === null ? undefined : field))

describe("a body in Protocol Buffers", () => {
  for (const { json, proto } of golden) {
    it(`is the ${json.kind} that its client would have sent in JSON`, () => {
      assert.deepStrictEqual(withoutNulls(decoded(Buffer.from(proto, "base64"))), withoutNulls(json))
    })
  }

  it("is read by the front as any other", () => {
    const rig = makeRig()
    const { proto } = golden[0]
    const answer = rig.send("POST", "/apis/apps/v1/namespaces/default/deployments", {
      headers: { "content-type": "application/vnd.kubernetes.protobuf", accept: "application/json" },
      body: Buffer.from(proto, "base64")
    })
    assert.strictEqual(answer.status, 201)
    assert.deepInclude(rig.api.requests.at(-1)?.body?.spec as object, { replicas: 0 })
  })

  it("is refused when it is none, is cut off, or is of an unknown kind", () => {
    const whole = Buffer.from(golden[1].proto, "base64")
    const refused = (bytes: Uint8Array): string => {
      const answer = decodeProtobuf(bytes, "Secret")
      if (!(answer instanceof ApiFailure)) throw new Error("it was taken")
      assert.strictEqual(answer.code, 400)
      return answer.message
    }
    assert.match(refused(Buffer.from("{}")), /does not appear to be a protobuf message/)
    assert.match(refused(whole.subarray(0, whole.length - 3)), /proto: /)
    const other = Buffer.from(whole.toString("latin1").replace("Secret", "Sucret"), "latin1")
    assert.match(refused(other), /no kind "Sucret" is registered/)
  })
})
