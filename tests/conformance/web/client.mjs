// usage: client.mjs PORT DESCRIPTORS. Prints "case outcome reason" a line: gRPC-Web from Node, then from a page in headless Chromium.
import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import esbuild from "esbuild";
import { run } from "./calls.mjs";

const [port, descriptorsPath] = process.argv.slice(2);
const api = `http://127.0.0.1:${port}`;
const descriptors = await readFile(descriptorsPath);
const say = (where, line) => console.log(`${where}.${line.replaceAll("\n", " ")}`);

await run(api, descriptors, (name, error) => say("node", `${name} ${error ? `FAILED ${error}` : "ok"}`));

const { outputFiles } = await esbuild.build({ entryPoints: ["page.mjs"], bundle: true, format: "esm", write: false });
let done;
const finished = new Promise((resolve) => (done = resolve));
const page = createServer((request, response) => {
	const answer = (type, body) => response.writeHead(200, { "content-type": type }).end(body);
	const path = request.url.split("?")[0];
	if (path === "/report") {
		let text = "";
		request.on("data", (piece) => (text += piece));
		request.on("end", () => {
			answer("text/plain", "");
			if (text === "done") done("");
			else say("browser", text);
		});
	} else if (path === "/descriptors") answer("application/octet-stream", descriptors);
	else if (path === "/page.js") answer("text/javascript", outputFiles[0].contents);
	else answer("text/html", '<!doctype html><script type="module" src="/page.js"></script>');
});
await new Promise((resolve) => page.listen(0, "127.0.0.1", resolve));

const profile = await mkdtemp(join(tmpdir(), "conformance-"));
const url = `http://localhost:${page.address().port}/?api=${encodeURIComponent(api)}`;
const arguments_ = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", `--user-data-dir=${profile}`,
	"--remote-debugging-port=0", url];
const browser = spawn(process.env.CHROMIUM ?? "chromium", arguments_, { stdio: "ignore" });
browser.on("error", (error) => done(error.code === "ENOENT" ? "left-out there is no chromium here" : `FAILED ${error}`));
setTimeout(() => done("FAILED the page did not end within 60 s"), 60000).unref();
const problem = await finished;
if (problem) say("browser", `all ${problem}`);
browser.kill("SIGKILL");
page.close();
page.closeAllConnections();
await rm(profile, { recursive: true, force: true, maxRetries: 10 });
