// Writes core/apiserver/http/gen/protobuf.json and the golden objects of its test (`npm run protobuf`): how the kinds of Kubernetes' own Go
// types look in Protocol Buffers. Owns the calls; table.go reads the types, in the pinned modules of the real kube-apiserver, and the
// table holds numbers and names only.
import { execFileSync } from "node:child_process"
import { writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { moduleDirectory } from "../../kind/AssetBuild.ts"

const run = (program: string): Buffer =>
  execFileSync("go", ["run", "-mod=readonly", "-tags=tools", fileURLToPath(new URL(program, import.meta.url))], {
    cwd: moduleDirectory("kubernetes"),
    env: { ...process.env, CGO_ENABLED: "0", GOWORK: "off" },
    maxBuffer: 2 ** 26
  })

const write = (place: string, program: string): void =>
  writeFileSync(fileURLToPath(new URL(place, import.meta.url)), run(program))

write("../../core/apiserver/http/gen/protobuf.json", "protobuf/table.go")
write("protobuf/golden.json", "protobuf/golden.go")
