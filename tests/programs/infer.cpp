// A program that times itself, as src/guide/command.md describes it: it prints one latency a line, in nanoseconds.
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

static int64_t wanted(const char* name) { return std::atoll(std::getenv(name)); }

static int64_t now() {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch())
        .count();
}

static std::vector<float> state(1 << 14, 1.0f);

// Stands for an inference.
static int64_t request() {
    const int64_t begin = now();
    for (float& x : state) x = x * 0.999f + 0.001f;
    return now() - begin;
}

int main() {
    for (const int64_t begin = now(); now() - begin < wanted("TRT_PERF_WARM_UP_NS");) request();
    const int64_t begin = now();
    for (int64_t requests = 0;; ++requests) {
        const int64_t took = now() - begin;
        if (took >= wanted("TRT_PERF_MEASURE_NS") && requests >= wanted("TRT_PERF_LEAST_REQUESTS")) break;
        if (took >= wanted("TRT_PERF_MOST_NS")) break;
        std::printf("%lld\n", static_cast<long long>(request()));
    }
}
