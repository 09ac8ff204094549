// One builder at a time per cache folder: a lock file that holds the builder's process id. It survives a killed
// builder (a lock whose process is gone is taken over) and knows nothing of what is built under it.
import { Console, Effect, FileSystem, Option, Path, Schedule, Schema } from "effect"

/** Another builder held the lock for longer than an hour, the longest that we wait. */
export class BuildLocked extends Schema.TaggedError<BuildLocked>()("BuildLocked", {
  file: Schema.String,
  holder: Schema.String
}) {
  override get message(): string {
    return `process ${this.holder} has held ${this.file} for an hour; end it or remove the file`
  }
}

const isAlive = (processId: string): boolean => {
  try {
    process.kill(Number(processId), 0)
    return true
  } catch (error) {
    // EPERM says that it lives and belongs to somebody else.
    return error instanceof Error && "code" in error && error.code === "EPERM"
  }
}

const holderOf = (file: string) =>
  FileSystem.FileSystem.use((fs) => fs.readFileString(file)).pipe(
    Effect.map((text) => text.trim()),
    Effect.option
  )

// Renaming is atomic, so of two that see the same dead holder one wins; whoever finds that he renamed a living
// builder's fresh lock instead puts it back.
const takeOver = Effect.fnUntraced(function* (file: string, dead: string) {
  const fs = yield* FileSystem.FileSystem
  const aside = `${file}.${process.pid}`
  yield* fs.rename(file, aside).pipe(Effect.ignore)
  const moved = yield* holderOf(aside)
  if (Option.isSome(moved) && moved.value !== dead) yield* fs.link(aside, file).pipe(Effect.ignore)
  yield* fs.remove(aside, { force: true }).pipe(Effect.ignore)
})

// A lock file is written whole under another name and linked into place, so that nobody ever reads it half written.
const tryLock = Effect.fnUntraced(function* (file: string) {
  const fs = yield* FileSystem.FileSystem
  const mine = `${file}.${process.pid}.new`
  yield* fs.writeFileString(mine, `${process.pid}\n`)
  const held = yield* fs.link(mine, file).pipe(
    Effect.as(true),
    Effect.orElseSucceed(() => false)
  )
  yield* fs.remove(mine, { force: true })
  if (held) return
  const holder = yield* holderOf(file)
  if (Option.isSome(holder) && !isAlive(holder.value)) yield* takeOver(file, holder.value)
  return yield* new BuildLocked({ file, holder: Option.getOrElse(holder, () => "unknown") })
}, Effect.uninterruptible)

// Says once whom it waits for; waiting can be interrupted.
const acquire = (file: string) => {
  const patiently = Effect.retry(tryLock(file), {
    schedule: Schedule.spaced("1 second"),
    times: 3600,
    while: (error) => error._tag === "BuildLocked"
  })
  return tryLock(file).pipe(
    Effect.catchTag("BuildLocked", ({ holder }) =>
      Effect.andThen(Console.error(`another builder holds the lock (process ${holder}), waiting`), patiently)
    )
  )
}

/** Runs `effect` while holding the lock of `directory`, which must exist; waits up to an hour for another holder. */
export const withBuildLock = <A, E, R>(directory: string, effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const path = yield* Path.Path
    const fs = yield* FileSystem.FileSystem
    const file = path.join(directory, ".building")
    const release = fs.remove(file, { force: true }).pipe(Effect.ignore)
    return yield* Effect.uninterruptibleMask((restore) =>
      restore(acquire(file)).pipe(Effect.andThen(restore(effect).pipe(Effect.ensuring(release))))
    )
  })
