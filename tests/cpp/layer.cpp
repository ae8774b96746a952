/* SPDX-License-Identifier: MIT */
/* pollux.hpp: each class made, used, copied or moved, ended, and used once it is empty. */
#include <pollux.hpp>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include <sys/socket.h>
#include <unistd.h>

#if __cplusplus >= 202002L
#include <span>
#endif

using namespace std::chrono_literals;

#define CHECK(condition) ((condition) ? static_cast<void>(0) : fail(__LINE__, #condition))

[[noreturn]] static void fail(int line, const char *condition)
{
    std::fprintf(stderr, "layer.cpp:%d: %s\n", line, condition);
    std::_Exit(1);
}

/* The one event that the next wait returns. */
static plx::event next(const plx::poller &poller)
{
    plx::event events[2];
    auto ready = poller.wait(events, 20s);

    CHECK(ready && ready->size() == 1);
    return events[0];
}

static bool silent(const plx::poller &poller)
{
    plx::event event;
    auto ready = poller.wait({&event, 1}, 0s);

    return ready && ready->empty();
}

static plx::poller manual()
{
    plx_options options{};
    options.clock = PLX_CLOCK_MANUAL;
    auto poller = plx::poller::open(options);

    CHECK(poller);
    return *std::move(poller);
}

struct pair {
    int ends[2];

    pair() { CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0); }
    pair(const pair &) = delete;
    pair &operator=(const pair &) = delete;
    ~pair()
    {
        close(ends[0]);
        close(ends[1]);
    }
};

/* ---- What it costs --------------------------------------------------------- */

static_assert(sizeof(plx::poller) == sizeof(void *) && sizeof(plx::registry) == sizeof(void *));
static_assert(sizeof(plx::waker) == sizeof(void *) && sizeof(plx::sender<long>) == sizeof(void *));
static_assert(sizeof(plx::signals) == sizeof(void *) && sizeof(plx::paths) == sizeof(void *));
static_assert(sizeof(plx::timer) == sizeof(void *) + sizeof(plx_timer));
static_assert(sizeof(plx::result<>) == sizeof(int) && sizeof(plx::result<int>) == 2 * sizeof(int));
static_assert(std::is_trivially_copyable_v<plx::span<plx::event>> && std::is_trivially_copyable_v<plx::result<int>>);

/* Who owns alone is moved, who counts is copied, and no clock passes for another. */
template <class T>
constexpr bool only_moved = std::is_nothrow_move_constructible_v<T> && std::is_nothrow_move_assignable_v<T> &&
                            !std::is_copy_constructible_v<T> && !std::is_copy_assignable_v<T>;

static_assert(only_moved<plx::poller> && only_moved<plx::timer> && only_moved<plx::receiver<int>>);
static_assert(only_moved<plx::signals> && only_moved<plx::process> && only_moved<plx::paths>);
static_assert(only_moved<plx::result<plx::poller>> && std::is_copy_constructible_v<plx::result<plx::registry>>);
static_assert(std::is_nothrow_copy_constructible_v<plx::registry> && std::is_nothrow_copy_assignable_v<plx::waker>);
static_assert(!std::is_convertible_v<plx::clock::time_point, plx::poller_clock::time_point>);
static_assert(!std::is_convertible_v<std::chrono::duration<double>, plx::nanos>);
static_assert(!std::is_convertible_v<plx_poller *, plx::poller> && !std::is_convertible_v<int, plx::result<>>);

/* ---- Results and spans ----------------------------------------------------- */

static void a_result_is_a_value_or_an_error()
{
    plx::result<int> good(0, 42), bad(-EBADF);

    CHECK(good && *good == 42 && good.error() == 0 && plx::result<int>(good).value_or(1) == 42);
    CHECK(!bad && bad.error() == -EBADF && plx::result<int>(bad).value_or(1) == 1);
    CHECK(bad.code() == std::errc::bad_file_descriptor && bad.message() == std::string(plx_strerror(-EBADF)));
    CHECK(plx::result<>(7) && plx::result<>(7).error() == 0);
#ifdef __cpp_exceptions
    CHECK(good.value() == 42);
    try {
        (void)plx::poller().wait({}).value();
        CHECK(false);
    } catch (const std::system_error &error) {
        CHECK(error.code() == std::errc::invalid_argument);
    }
#endif
}

static void a_span_is_of_whatever_has_data_and_a_size()
{
    auto poller = manual();
    std::array<plx::event, 3> array;
    std::vector<plx::event> vector(4);
    auto registry = poller.registry();

    for (std::uint64_t i = 1; i <= 9; i++)
        CHECK(registry.post(1, i));
    CHECK(poller.wait(array)->size() == 3 && array[2].data == 3);
    CHECK(poller.wait(vector)->size() == 4 && vector[3].data == 7);
    CHECK(poller.wait(plx::span<plx::event>()).error() == -EINVAL);
#if __cplusplus >= 202002L
    std::span<plx::event> part(vector.data(), 1);
    auto ready = *poller.wait(part);
    std::span<plx::event> filled(ready);
    CHECK(filled.size() == 1 && filled[0].data == 8);
#endif
}

static void a_loop_keeps_what_a_wait_returned()
{
    auto poller = manual();
    auto registry = poller.registry();
    plx::event events[8];
    std::uint64_t sum = 0;

    for (std::uint64_t i = 1; i <= 3; i++)
        CHECK(registry.post(1, i));
    for (plx::event &event : *poller.wait(events))
        sum += event.data;
    CHECK(sum == 6);
    for (plx::event &event : *plx::poller().wait(events)) /* failed: there is nothing to see */
        sum += event.data;
    CHECK(sum == 6);
}

/* ---- Pollers and registries ------------------------------------------------ */

static void a_poller_is_opened_moved_and_closed()
{
    plx_options options{};
    options.flags = 0x80000000u;
    CHECK(plx::poller::open(options).error() == -EINVAL);

    auto opened = plx::poller::open();
    CHECK(opened);
    plx::poller poller = *std::move(opened);
    CHECK(poller && !*opened && opened->registry().notify().error() == -EINVAL);
    CHECK(poller.backend() != nullptr && poller.supports(PLX_ONESHOT) && poller.stats().waits == 0);
    CHECK(poller.advance(1s).error() == -EINVAL);

    plx_poller *raw = poller.get();
    plx::poller other(poller.release());
    CHECK(other.get() == raw && !poller);
    other = plx::poller();
    CHECK(!other && other.descriptor().error() == -EINVAL && other.backend() == nullptr);
}

static void a_registry_outlives_its_poller()
{
    auto poller = manual();
    plx::registry registry = poller.registry(), copy = registry, none;

    none = copy;
    CHECK(none.get() == registry.get() && none.new_token() == 1 && registry.new_token() == 2);
    copy = std::move(none);
    CHECK(copy && !none && none.post(1, 1).error() == -EINVAL && none.new_token() == 0);
    poller.reset();
    CHECK(copy.notify().error() == -PLX_ESHUTDOWN);
    plx::registry self = copy;
    const plx::registry &same = self;
    self = same;
    CHECK(self.get() == copy.get());
}

static void a_descriptor_is_added_changed_and_removed()
{
    auto poller = plx::poller::open();
    auto registry = poller->registry();
    pair pair;

    CHECK(registry.add(pair.ends[0], 7, PLX_READABLE) && silent(*poller));
    CHECK(registry.add(pair.ends[0], 7, PLX_READABLE).error() == -EEXIST);
    CHECK(write(pair.ends[1], "x", 1) == 1);
    plx::event event = next(*poller);
    CHECK(event.token == 7 && event.flags == PLX_READABLE);

    CHECK(registry.change(pair.ends[0], 8, PLX_WRITABLE | PLX_ONESHOT) && next(*poller).token == 8 && silent(*poller));
    CHECK(registry.enable(pair.ends[0], PLX_READABLE) && registry.disable(pair.ends[0], PLX_WRITABLE));
    CHECK(next(*poller).flags == PLX_READABLE);
    auto found = registry.lookup(pair.ends[0]);
    CHECK(found && found->token == 8 && found->interest == (PLX_READABLE | PLX_ONESHOT));
    CHECK(registry.remove(pair.ends[0]) && registry.remove(pair.ends[0]).error() == -ENOENT);
    CHECK(registry.lookup(pair.ends[0]).error() == -ENOENT);

    int native = poller->backend() == std::string("poll") ? -ENOTSUP : 0;
    CHECK(registry.add_native(pair.ends[0], 9, 1).error() == native);
    CHECK(registry.change_native(pair.ends[0], 9, 1).error() == native);
    CHECK(registry.add(-1, 7, PLX_READABLE).error() == -EBADF);
}

/* ---- Time ------------------------------------------------------------------ */

static void below_zero_is_an_error_and_not_for_ever()
{
    auto poller = manual();
    plx::event event;
    plx::span<plx::event> events(&event, 1);

    for (plx::nanos negative : {plx::nanos(-1), plx::nanos(-2), plx::nanos::min()}) {
        CHECK(poller.wait(events, negative).error() == -EINVAL);
        CHECK(plx::timer::start(poller.registry(), 1, negative).error() == -EINVAL);
        CHECK(plx::timer::start(poller.registry(), 1, 1s, negative).error() == -EINVAL);
        CHECK(poller.advance(negative).error() == -EINVAL);
    }
    CHECK(poller.wait(events, plx::forever)->empty()); /* the clock stands still */

    auto past = plx::timer::start_at(poller.registry(), 3, plx::poller_clock::time_point(-1ns));
    CHECK(past && next(poller).token == 3);
}

static void a_wait_ends_at_its_timeout_and_at_its_deadline()
{
    auto poller = plx::poller::open();
    plx::event events[1];
    auto before = plx::clock::now();

    CHECK(poller->wait(events, 2ms)->empty() && plx::clock::now() - before >= 2ms);
    auto deadline = poller->now() + 2ms;
    CHECK(poller->wait_until(events, deadline)->empty() && poller->now() >= deadline);
}

static void a_timer_ends_with_its_object()
{
    auto poller = manual();
    auto started = plx::timer::start(poller.registry(), 1, 10ms, 20ms);
    plx::timer timer = *std::move(started), other;

    CHECK(timer && !*started && started->restart(1s).error() == -EINVAL && other.cancel().error() == -EINVAL);
    CHECK(poller.advance(10ms) && next(poller).data == 1);
    CHECK(poller.advance(40ms) && next(poller).data == 2);
    CHECK(timer.restart(5ms) && poller.advance(5ms) && next(poller).flags == PLX_TIMER);
    CHECK(timer.restart(5ms).error() == -ENOENT && timer.cancel().error() == -ENOENT);

    auto at = plx::timer::start_at(poller.registry(), 2, poller.now() + 1s);
    CHECK(at && poller.stats().timers == 1);
    other = *std::move(at);
    other = plx::timer(); /* it is cancelled */
    CHECK(poller.stats().timers == 0 && poller.advance(2s) && silent(poller));

    CHECK(plx::timer::start(poller.registry(), 3, 1ms)->release() != 0); /* it is not */
    CHECK(poller.advance(1ms) && next(poller).token == 3);

    auto last = plx::timer::start(poller.registry(), 4, plx::forever);
    CHECK(last);
    poller.reset();
    CHECK(last->cancel().error() == -PLX_ESHUTDOWN);
}

/* ---- Wakers and channels --------------------------------------------------- */

static void a_waker_is_shared()
{
    auto poller = plx::poller::open();
    auto waker = plx::waker::open(poller->registry(), 5);
    plx::waker copy = *waker, moved = *std::move(waker);

    CHECK(!*waker && waker->wake().error() == -EINVAL);
    std::thread thread([copy] { CHECK(copy.wake()); });
    plx::event event = next(*poller);
    thread.join();
    CHECK(event.token == 5 && event.flags == PLX_WAKER);
    copy.reset();
    CHECK(moved.wake() && next(*poller).token == 5);
    CHECK(plx::waker::open(plx::registry(), 5).error() == -EINVAL);
}

struct message {
    int number;
    char text[12];
};

/* Without a value to begin with. */
struct point {
    explicit point(double at) : x(at) {}
    double x;
};

static void a_channel_takes_messages_of_one_type()
{
    auto poller = plx::poller::open();
    auto channel = plx::open_channel<message>(poller->registry(), 6);
    CHECK(channel);
    plx::sender<message> sender = std::move(channel->sender);
    plx::receiver<message> receiver = std::move(channel->receiver);

    CHECK(channel->sender.send({1, "no"}).error() == -EINVAL && channel->receiver.recv().error() == -EINVAL);
    std::thread thread([sender] {
        for (int i = 1; i <= 100; i++)
            CHECK(sender.send({i, "hello"}));
    });
    sender.reset();
    std::vector<message> messages(8);
    int last = 0;
    for (int rc = 0; rc != -EPIPE;) {
        CHECK(next(*poller).flags & PLX_CHANNEL);
        for (plx::result<plx::span<message>> taken(0); (taken = receiver.recv_many(messages)); rc = taken.error())
            for (message &each : *taken)
                CHECK(each.number == ++last && each.text == std::string("hello"));
        rc = receiver.recv_many(messages).error();
    }
    thread.join();
    CHECK(last == 100);
}

static void a_bounded_channel_has_room_or_has_not()
{
    auto poller = plx::poller::open();
    auto channel = plx::open_channel<point>(poller->registry(), 6, 1);
    point taken(0);

    CHECK(channel && channel->sender.try_send(point(1.5)));
    CHECK(channel->sender.try_send(point(2)).error() == -EAGAIN);
    CHECK(channel->sender.send_until(point(2), plx::clock::now() + 1ms).error() == -ETIMEDOUT);
    CHECK(channel->receiver.recv(taken) && taken.x == 1.5 && channel->receiver.recv(taken).error() == -EAGAIN);
    channel->receiver.reset();
    CHECK(channel->sender.send(point(3)).error() == -EPIPE);
    CHECK(plx::open_channel<int>(plx::registry(), 6).error() == -EINVAL);
}

/* ---- Signals, processes, paths --------------------------------------------- */

static void a_signal_is_an_event()
{
    auto poller = plx::poller::open();
    auto signals = plx::signals::open(poller->registry(), 4, {SIGUSR1, SIGUSR2});
    std::vector<int> numbers{SIGUSR1};
    auto more = plx::signals::open(poller->registry(), 5, numbers);

    CHECK(signals && more && signals->next().error() == -EAGAIN);
    more->reset();
    CHECK(raise(SIGUSR2) == 0);
    plx::event event = next(*poller);
    CHECK(event.token == 4 && event.flags == PLX_SIGNAL && event.data == SIGUSR2);
    auto info = signals->next();
    CHECK(info && info->number == SIGUSR2 && info->pid == getpid());
    CHECK(more->next().error() == -EINVAL);
    CHECK(plx::signals::open(poller->registry(), 4, {SIGKILL}).error() == -EINVAL);
}

static void a_process_ends()
{
    auto poller = plx::poller::open();
    pid_t child = fork();
    if (child == 0)
        _exit(3);
    auto process = plx::process::open(poller->registry(), 2, child);
    CHECK(process && next(*poller).flags == PLX_PROCESS);
    plx::process moved = *std::move(process);
    auto status = moved.status();
    CHECK(status && status->code == 3 && status->signal == 0);
    CHECK(process->status().error() == -EINVAL);
    CHECK(plx::process::open(poller->registry(), 2, 0).error() == -EINVAL);
}

static void a_path_changes()
{
    char folder[] = "/tmp/pollux-cpp-XXXXXX";
    CHECK(mkdtemp(folder) != nullptr);
    auto poller = plx::poller::open();
    auto paths = plx::paths::open(poller->registry(), 3);
    CHECK(paths);
    auto watch = paths->add(folder, PLX_PATH_CREATED);
    CHECK(watch && *watch == 1 && paths->add(folder, 0).error() == -EINVAL);

    std::string file = std::string(folder) + "/file";
    std::fclose(std::fopen(file.c_str(), "w"));
    CHECK(next(*poller).flags == PLX_PATH);
    auto change = paths->next();
    CHECK(change && change->watch == 1 && change->changes == PLX_PATH_CREATED && change->name == std::string("file"));
    CHECK(paths->next().error() == -EAGAIN && paths->remove(*watch) && paths->remove(*watch).error() == -ENOENT);

    plx::paths moved = *std::move(paths);
    CHECK(moved && paths->add(folder, PLX_PATH_CREATED).error() == -EINVAL);
    std::remove(file.c_str());
    rmdir(folder);
}

int main()
{
    a_result_is_a_value_or_an_error();
    a_span_is_of_whatever_has_data_and_a_size();
    a_loop_keeps_what_a_wait_returned();
    a_poller_is_opened_moved_and_closed();
    a_registry_outlives_its_poller();
    a_descriptor_is_added_changed_and_removed();
    below_zero_is_an_error_and_not_for_ever();
    a_wait_ends_at_its_timeout_and_at_its_deadline();
    a_timer_ends_with_its_object();
    a_waker_is_shared();
    a_channel_takes_messages_of_one_type();
    a_bounded_channel_has_room_or_has_not();
    a_signal_is_an_event();
    a_process_ends();
    a_path_changes();
}
