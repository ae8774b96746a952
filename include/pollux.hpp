/* SPDX-License-Identifier: MIT */
/*
 * Pollux for C++17: the same functions as in pollux.h, with owners instead of pairs of calls,
 * chrono instead of numbers, and results instead of output arguments:
 *
 *     #include <pollux.hpp>
 *     #include <cstdio>
 *
 *     int main()
 *     {
 *         using namespace std::chrono_literals;
 *
 *         auto poller = plx::poller::open();
 *         if (!poller)
 *             return 1;
 *         auto timer = plx::timer::start(poller->registry(), 7, 10ms);
 *         auto channel = plx::open_channel<double>(poller->registry(), 8);
 *         if (!timer || !channel || !channel->sender.send(3.14))
 *             return 1;
 *
 *         plx::event events[64];
 *         for (plx::event &event : *poller->wait(events, 10s))
 *             std::printf("token %d\n", static_cast<int>(event.token));
 *         return channel->receiver.recv().value_or(0) < 3;
 *     }
 *
 * pollux.h says what each function does, which errors it has and who may call it when; here is
 * only what is different. Everything is inline, allocates nothing of its own and throws nothing,
 * but for result<T>::value(), which is there for who wants exceptions.
 *
 *   Objects   own what they are named for, and end it in their destructors. They are moved, and
 *             those that C counts references of (registry, waker, sender) are copied. One that is
 *             empty (made by default, moved from, reset) answers -EINVAL to every call, as NULL
 *             does in C. get() is the pointer, for what is in pollux.h alone.
 *   Results   result<T> is a T or a negative errno value: if (!result) log(result.message()). The
 *             T of a failed one is empty.
 *   Time      Durations are nanoseconds, and any that convert to them without loss. plx::forever is
 *             the longest one, so that a calculation that went below zero is -EINVAL and not for
 *             ever. Points in time have the clock that they are on in their type.
 *   Spans     An array, a vector, a std::span: what has data() and size(), or a pointer and a size.
 */
#ifndef POLLUX_HPP
#define POLLUX_HPP

#include <pollux.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <memory>
#include <system_error>
#include <type_traits>
#include <utility>

namespace plx {

using event = plx_event;

/* ---- Results --------------------------------------------------------------- */

/* Success, or a negative errno value. */
template <class T = void>
class result;

template <>
class [[nodiscard]] result<void> {
public:
    constexpr result() noexcept = default;
    constexpr explicit result(int rc) noexcept : rc_(rc < 0 ? rc : 0) {}

    constexpr explicit operator bool() const noexcept { return rc_ == 0; }
    constexpr int error() const noexcept { return rc_; } /* 0, or as C has it: -EBADF */
    const char *message() const noexcept { return plx_strerror(rc_); }
    std::error_code code() const noexcept { return {-rc_, std::generic_category()}; }

#ifdef __cpp_exceptions
    void value() const
    {
        if (rc_ < 0)
            throw std::system_error(code());
    }
#endif

private:
    int rc_ = 0;
};

template <class T>
class [[nodiscard]] result : public result<> {
public:
    constexpr explicit result(int rc) noexcept : result<>(rc) {}
    constexpr explicit result(int rc, T &&value) noexcept : result<>(rc), value_(std::move(value)) {}

    constexpr T &operator*() & noexcept { return value_; }
    constexpr const T &operator*() const & noexcept { return value_; }
    constexpr T operator*() && noexcept { return std::move(value_); } /* a loop over it keeps it */
    constexpr T *operator->() noexcept { return &value_; }
    constexpr const T *operator->() const noexcept { return &value_; }

    constexpr T value_or(T other) && noexcept { return *this ? std::move(value_) : std::move(other); }

#ifdef __cpp_exceptions
    T &value() &
    {
        result<>::value();
        return value_;
    }
    T value() &&
    {
        result<>::value();
        return std::move(value_);
    }
#endif

private:
    static_assert(std::is_nothrow_default_constructible_v<T> && std::is_nothrow_move_constructible_v<T>);

    T value_{};
};

/* ---- Spans ----------------------------------------------------------------- */

template <class T>
class span {
public:
    constexpr span() noexcept = default;
    constexpr span(T *data, std::size_t size) noexcept : data_(data), size_(size) {}
    template <std::size_t Size>
    constexpr span(T (&array)[Size]) noexcept : data_(array), size_(Size) {}
    template <class Range, class = std::enable_if_t<
                               std::is_convertible_v<decltype(std::declval<Range &>().data()), T *> &&
                               std::is_convertible_v<decltype(std::declval<Range &>().size()), std::size_t>>>
    constexpr span(Range &&range) noexcept : data_(range.data()), size_(range.size())
    {
    }

    constexpr T *data() const noexcept { return data_; }
    constexpr std::size_t size() const noexcept { return size_; }
    constexpr bool empty() const noexcept { return size_ == 0; }
    constexpr T &operator[](std::size_t i) const noexcept { return data_[i]; }
    constexpr T *begin() const noexcept { return data_; }
    constexpr T *end() const noexcept { return data_ + size_; }

private:
    T *data_ = nullptr;
    std::size_t size_ = 0;
};

/* ---- Time ------------------------------------------------------------------ */

using nanos = std::chrono::duration<plx_nanos, std::nano>;

inline constexpr nanos forever = nanos::max();

/* That of plx_now, which deadlines of sends are on. */
struct clock {
    using duration   = nanos;
    using rep        = duration::rep;
    using period     = duration::period;
    using time_point = std::chrono::time_point<clock, duration>;

    static constexpr bool is_steady = true;

    static time_point now() noexcept { return time_point(duration(plx_now())); }
};

/* That of a poller, asked for its time by poller::now. Deadlines of waits and timers are on it. */
struct poller_clock {
    using duration   = nanos;
    using rep        = duration::rep;
    using period     = duration::period;
    using time_point = std::chrono::time_point<poller_clock, duration>;
};

namespace detail {

/* As C has it: -1 is for ever, and any other negative duration is an error. */
constexpr plx_nanos count(nanos duration) noexcept
{
    return duration == forever ? -1 : duration.count() < 0 ? -2 : duration.count();
}

/* The past is due now, and -1 is in the past. */
template <class Point>
constexpr plx_nanos count_until(Point point) noexcept
{
    return point.time_since_epoch().count() < 0 ? 0 : point.time_since_epoch().count();
}

/* The one owner of an object. */
template <class T, void (*Close)(T *)>
class owner {
public:
    constexpr owner() noexcept = default;
    explicit owner(T *pointer) noexcept : pointer_(pointer) {}

    explicit operator bool() const noexcept { return get(); }
    T *get() const noexcept { return pointer_.get(); }
    T *release() noexcept { return pointer_.release(); }
    void reset() noexcept { pointer_.reset(); }

private:
    struct closer {
        void operator()(T *pointer) const noexcept { Close(pointer); }
    };

    std::unique_ptr<T, closer> pointer_;
};

/* One of the references to an object; a copy is another. */
template <class T, T *(*Retain)(T *), void (*Release)(T *)>
class reference : public owner<T, Release> {
public:
    using owner<T, Release>::owner;

    constexpr reference() noexcept = default;
    reference(const reference &other) noexcept : owner<T, Release>(Retain(other.get())) {}
    reference(reference &&) noexcept = default;
    reference &operator=(reference &&) noexcept = default;
    reference &operator=(const reference &other) noexcept { return *this = reference(other); }
    ~reference() = default;
};

} // namespace detail

/* ---- Registries ------------------------------------------------------------ */

/* What a descriptor is registered with. */
struct registration {
    plx_token token = 0;
    std::uint32_t interest = 0;
};

/* A reference to a poller's registry. It may outlive the poller. */
class registry : public detail::reference<plx_registry, plx_registry_retain, plx_registry_release> {
public:
    using reference::reference;

    /* plx_register, plx_reregister, plx_deregister. */
    result<> add(plx_fd fd, plx_token token, std::uint32_t interest) const noexcept
    {
        return result<>(plx_register(get(), fd, token, interest));
    }
    result<> change(plx_fd fd, plx_token token, std::uint32_t interest) const noexcept
    {
        return result<>(plx_reregister(get(), fd, token, interest));
    }
    result<> remove(plx_fd fd) const noexcept { return result<>(plx_deregister(get(), fd)); }

    result<> enable(plx_fd fd, std::uint32_t interest) const noexcept
    {
        return result<>(plx_enable(get(), fd, interest));
    }
    result<> disable(plx_fd fd, std::uint32_t interest) const noexcept
    {
        return result<>(plx_disable(get(), fd, interest));
    }
    result<registration> lookup(plx_fd fd) const noexcept
    {
        registration found;
        int rc = plx_lookup(get(), fd, &found.token, &found.interest);
        return result<registration>(rc, std::move(found));
    }

    result<> add_native(plx_fd fd, plx_token token, std::uint32_t native) const noexcept
    {
        return result<>(plx_register_native(get(), fd, token, native));
    }
    result<> change_native(plx_fd fd, plx_token token, std::uint32_t native) const noexcept
    {
        return result<>(plx_reregister_native(get(), fd, token, native));
    }
#ifdef _WIN32
    result<> add_handle(void *handle, plx_token token, std::uint32_t interest) const noexcept
    {
        return result<>(plx_register_handle(get(), handle, token, interest));
    }
    result<> remove_handle(void *handle) const noexcept { return result<>(plx_deregister_handle(get(), handle)); }
#endif

    result<> notify() const noexcept { return result<>(plx_notify(get())); }
    result<> post(plx_token token, std::uint64_t data) const noexcept { return result<>(plx_post(get(), token, data)); }
    plx_token new_token() const noexcept { return plx_registry_new_token(get()); }
};

/* ---- Pollers --------------------------------------------------------------- */

class poller : public detail::owner<plx_poller, plx_poller_close> {
public:
    using owner::owner;

    static result<poller> open(const plx_options &options = {}) noexcept
    {
        plx_poller *made = nullptr;
        int rc = plx_poller_open(&made, &options);
        return result<poller>(rc, poller(made));
    }

    /* What of the array was filled. */
    result<span<event>> wait(span<event> events, nanos timeout = forever) const noexcept
    {
        return filled(events, plx_poller_wait(get(), events.data(), capacity(events), detail::count(timeout)));
    }
    result<span<event>> wait_until(span<event> events, poller_clock::time_point deadline) const noexcept
    {
        return filled(events,
                      plx_poller_wait_until(get(), events.data(), capacity(events), detail::count_until(deadline)));
    }

    plx::registry registry() const noexcept { return plx::registry(plx_registry_retain(plx_poller_registry(get()))); }
    result<int> descriptor() const noexcept
    {
        int rc = plx_poller_descriptor(get());
        return result<int>(rc, rc < 0 ? -1 : rc);
    }
    const char *backend() const noexcept { return plx_poller_backend(get()); } /* NULL of an empty one */
    bool supports(std::uint32_t flags) const noexcept { return plx_poller_supports(get(), flags); }
    plx_stats stats() const noexcept
    {
        plx_stats stats{};
        plx_poller_stats(get(), &stats);
        return stats;
    }

    poller_clock::time_point now() const noexcept { return poller_clock::time_point(nanos(plx_poller_now(get()))); }
    result<> advance(nanos by) const noexcept { return result<>(plx_poller_advance(get(), by.count())); }

private:
    static int capacity(span<event> events) noexcept
    {
        constexpr std::size_t most = std::numeric_limits<int>::max();
        return static_cast<int>(events.size() < most ? events.size() : most);
    }
    static result<span<event>> filled(span<event> events, int rc) noexcept
    {
        return result<span<event>>(rc, {events.data(), rc < 0 ? 0 : static_cast<std::size_t>(rc)});
    }
};

/* ---- Wakers ---------------------------------------------------------------- */

class waker : public detail::reference<plx_waker, plx_waker_retain, plx_waker_release> {
public:
    using reference::reference;

    static result<waker> open(const registry &registry, plx_token token) noexcept
    {
        plx_waker *made = nullptr;
        int rc = plx_waker_open(registry.get(), token, &made);
        return result<waker>(rc, waker(made));
    }

    result<> wake() const noexcept { return result<>(plx_waker_wake(get())); }
};

/* ---- Timers ---------------------------------------------------------------- */

/* A timer that is cancelled with its object, which holds a reference to the registry. */
class timer {
public:
    constexpr timer() noexcept = default;
    timer(timer &&other) noexcept : registry_(std::move(other.registry_)), id_(other.release()) {}
    timer &operator=(timer &&other) noexcept
    {
        timer taken(std::move(other));
        std::swap(registry_, taken.registry_);
        std::swap(id_, taken.id_);
        return *this;
    }
    ~timer() { static_cast<void>(cancel()); }

    static result<timer> start(registry registry, plx_token token, nanos first, nanos interval = {}) noexcept
    {
        plx_timer id = 0;
        int rc = plx_timer_start(registry.get(), token, detail::count(first), interval.count(), &id);
        return result<timer>(rc, timer(std::move(registry), id));
    }
    static result<timer> start_at(registry registry, plx_token token, poller_clock::time_point deadline,
                                  nanos interval = {}) noexcept
    {
        plx_timer id = 0;
        int rc = plx_timer_start_at(registry.get(), token, detail::count_until(deadline), interval.count(), &id);
        return result<timer>(rc, timer(std::move(registry), id));
    }

    result<> restart(nanos first, nanos interval = {}) const noexcept
    {
        return result<>(plx_timer_restart(registry_.get(), id_, detail::count(first), interval.count()));
    }
    result<> cancel() const noexcept
    {
        return result<>(id_ == 0 ? -EINVAL : plx_timer_cancel(registry_.get(), id_));
    }

    explicit operator bool() const noexcept { return id_ != 0; }
    plx_timer get() const noexcept { return id_; }
    plx_timer release() noexcept { return std::exchange(id_, 0); } /* lets it run on */

private:
    timer(registry &&registry, plx_timer id) noexcept : registry_(std::move(registry)), id_(id) {}

    registry registry_;
    plx_timer id_ = 0;
};

/* ---- Channels -------------------------------------------------------------- */

/* Messages are copied as bytes. */
template <class T>
class sender : public detail::reference<plx_sender, plx_sender_retain, plx_sender_release> {
public:
    static_assert(std::is_trivially_copyable_v<T>);

    using reference::reference;

    result<> send(const T &message) const noexcept { return result<>(plx_sender_send(get(), &message)); }
    result<> try_send(const T &message) const noexcept { return result<>(plx_sender_try_send(get(), &message)); }
    result<> send_until(const T &message, clock::time_point deadline) const noexcept
    {
        return result<>(plx_sender_send_until(get(), &message, detail::count_until(deadline)));
    }
};

template <class T>
class receiver : public detail::owner<plx_receiver, plx_receiver_close> {
public:
    static_assert(std::is_trivially_copyable_v<T>);

    using owner::owner;

    result<> recv(T &message) const noexcept { return result<>(plx_receiver_recv(get(), &message)); }
    result<T> recv() const noexcept
    {
        T message{};
        int rc = plx_receiver_recv(get(), &message);
        return result<T>(rc, std::move(message));
    }

    /* What of the array was filled. */
    result<span<T>> recv_many(span<T> messages) const noexcept
    {
        int rc = plx_receiver_recv_many(get(), messages.data(), messages.size());
        return result<span<T>>(rc, {messages.data(), rc < 0 ? 0 : static_cast<std::size_t>(rc)});
    }
};

template <class T>
struct channel {
    plx::sender<T> sender;
    plx::receiver<T> receiver;
};

template <class T>
result<channel<T>> open_channel(const registry &registry, plx_token token) noexcept
{
    plx_sender *sender = nullptr;
    plx_receiver *receiver = nullptr;
    int rc = plx_channel_open(registry.get(), token, sizeof(T), &sender, &receiver);
    return result<channel<T>>(rc, {plx::sender<T>(sender), plx::receiver<T>(receiver)});
}

/* One that holds `bound` messages at most; with 0 they are handed over. */
template <class T>
result<channel<T>> open_channel(const registry &registry, plx_token token, std::size_t bound) noexcept
{
    plx_sender *sender = nullptr;
    plx_receiver *receiver = nullptr;
    int rc = plx_channel_open_bounded(registry.get(), token, sizeof(T), bound, &sender, &receiver);
    return result<channel<T>>(rc, {plx::sender<T>(sender), plx::receiver<T>(receiver)});
}

/* ---- Signals, processes, paths --------------------------------------------- */

class signals : public detail::owner<plx_signals, plx_signals_close> {
public:
    using owner::owner;

    static result<signals> open(const registry &registry, plx_token token, span<const int> numbers) noexcept
    {
        plx_signals *made = nullptr;
        int rc = plx_signals_open(registry.get(), token, numbers.data(), static_cast<int>(numbers.size()), &made);
        return result<signals>(rc, signals(made));
    }
    static result<signals> open(const registry &registry, plx_token token, std::initializer_list<int> numbers) noexcept
    {
        return open(registry, token, {numbers.begin(), numbers.size()});
    }

    result<plx_signal_info> next() const noexcept
    {
        plx_signal_info info{};
        int rc = plx_signals_next(get(), &info);
        return result<plx_signal_info>(rc, std::move(info));
    }
};

class process : public detail::owner<plx_process, plx_process_close> {
public:
    using owner::owner;

    static result<process> open(const registry &registry, plx_token token, plx_pid pid) noexcept
    {
        plx_process *made = nullptr;
        int rc = plx_process_open(registry.get(), token, pid, &made);
        return result<process>(rc, process(made));
    }

    result<plx_exit> status() const noexcept
    {
        plx_exit status{};
        int rc = plx_process_status(get(), &status);
        return result<plx_exit>(rc, std::move(status));
    }
};

class paths : public detail::owner<plx_paths, plx_paths_close> {
public:
    using owner::owner;

    static result<paths> open(const registry &registry, plx_token token) noexcept
    {
        plx_paths *made = nullptr;
        int rc = plx_paths_open(registry.get(), token, &made);
        return result<paths>(rc, paths(made));
    }

    /* The number of the watch. */
    result<int> add(const char *path, std::uint32_t changes) const noexcept
    {
        int watch = 0;
        int rc = plx_paths_add(get(), path, changes, &watch);
        return result<int>(rc, std::move(watch));
    }
    result<> remove(int watch) const noexcept { return result<>(plx_paths_remove(get(), watch)); }
    result<plx_path_change> next() const noexcept
    {
        plx_path_change change{};
        int rc = plx_paths_next(get(), &change);
        return result<plx_path_change>(rc, std::move(change));
    }
};

} // namespace plx

#endif
