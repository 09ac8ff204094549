// One configuration for all tests: files mirror the rooms, heavy ones run one at a time because two cores are all there is.
import { defineConfig } from "vitest/config"

export default defineConfig({
  test: {
    root: new URL("..", import.meta.url).pathname,
    include: ["test/**/*.test.ts"],
    testTimeout: 60_000,
    hookTimeout: 120_000,
    pool: "forks",
    maxWorkers: 2,
    reporters: process.env.CI ? ["default", "./test/CiReporter.ts"] : ["default"]
  }
})
