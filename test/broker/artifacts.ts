import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';

/** The versions that the suites run on; the first is the default. */
export const VERSIONS = ['4.3.1', '3.9.2'] as const;

/** Where jars, formatted directories and class archives are kept between runs: outside of the repository. */
export function cacheOf(version: string): string {
  return join(process.env['PENSTOCK_KAFKA_CACHE'] ?? join(homedir(), '.cache', 'penstock-kafka'), version);
}

/** The class path of a Kafka version; its jars are fetched once, by Maven. Rejects with what Maven said when they cannot be had. */
export async function classPath(version: string): Promise<string> {
  const home = cacheOf(version);
  const libs = join(home, 'libs');
  if (!existsSync(libs)) await fetchJars(version, home, libs);
  const jars = (await readdir(libs)).filter((name) => name.endsWith('.jar')).toSorted();
  if (jars.length === 0) throw new Error(`${libs} holds no jars; remove it and try again`);
  return jars.map((name) => join(libs, name)).join(':');
}

/** A directory of its own that is renamed when complete, so that two processes may do it at once. */
async function fetchJars(version: string, home: string, libs: string): Promise<void> {
  await mkdir(home, { recursive: true });
  const workshop = await mkdtemp(join(home, 'fetch-'));
  try {
    await writeFile(join(workshop, 'pom.xml'), pom(version));
    const goal = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies';
    const out = join(workshop, 'libs');
    await command('mvn', ['-q', '-B', goal, `-DoutputDirectory=${out}`, '-DincludeScope=runtime'], workshop);
    await rename(out, libs).catch((error: NodeJS.ErrnoException) => {
      if (!existsSync(libs)) throw error;
    });
  } finally {
    await rm(workshop, { recursive: true, force: true });
  }
}

/** The tools' API is left out: 4.4.0 names one that was never published, and a broker does without it. */
function pom(version: string): string {
  return `<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>penstock</groupId><artifactId>test-broker</artifactId><version>1</version><packaging>pom</packaging>
<dependencies>
  <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>${version}</version>
    <exclusions><exclusion><groupId>org.apache.kafka</groupId><artifactId>kafka-tools-api</artifactId></exclusion></exclusions></dependency>
  <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>1.7.36</version></dependency>
</dependencies></project>
`;
}

/** Runs a program to its end; rejects with what it printed when it fails or is not there. */
export async function command(program: string, args: readonly string[], cwd: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
    const printed: Buffer[] = [];
    child.stdout.on('data', (bytes: Buffer) => printed.push(bytes));
    child.stderr.on('data', (bytes: Buffer) => printed.push(bytes));
    child.on('error', (cause) => {
      reject(new Error(`a real broker needs ${program} (JDK 17 or newer, Maven for the first start): ${cause.message}`, { cause }));
    });
    child.on('close', (code) => {
      const text = Buffer.concat(printed).toString();
      if (code === 0) resolve(text);
      else reject(new Error(`${program} ended with ${code}: ${text.slice(-3000)}`));
    });
  });
}
