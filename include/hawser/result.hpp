// A value, or the error that stands in its place.
//
// - Blocks, allocates: never (value() of an error throws, and an exception allocates).
// - Threads: a value like any other; two threads need two results or a lock.
// - Ask first (`if (r)`, then `r.why().code()`, or `r.is(errc::closed)`), or say that you know:
//   `r.value()` gives the value or throws hawser::exception. `*r` and `r->` require that there is
//   a value.
#pragma once

#include <memory>
#include <new>
#include <type_traits>
#include <utility>

#include <hawser/error.hpp>

namespace hawser {
inline namespace v1 {

template <typename T>
class [[nodiscard]] result {
    static_assert(!std::is_reference_v<T> && !std::is_same_v<T, error>);

  public:
    using value_type = T;

    // NOLINTNEXTLINE(google-explicit-constructor): `return value;` is the point
    result(T value) noexcept(std::is_nothrow_move_constructible_v<T>) : has_value_(true) {
        std::construct_at(&value_, std::move(value));
    }
    // NOLINTNEXTLINE(google-explicit-constructor): `return error{…};` is the point
    result(const error& why) noexcept : has_value_(false) { std::construct_at(&error_, why); }

    result(result&& other) noexcept : has_value_(other.has_value_) { take(other); }
    result& operator=(result&& other) noexcept {
        if (this != &other) {
            destroy();
            has_value_ = other.has_value_;
            take(other);
        }
        return *this;
    }
    result(const result&) = delete;
    result& operator=(const result&) = delete;
    ~result() { destroy(); }

    [[nodiscard]] bool has_value() const noexcept { return has_value_; }
    explicit operator bool() const noexcept { return has_value_; }

    // The value, or hawser::exception.
    [[nodiscard]] T& value() & { return check(), value_; }
    [[nodiscard]] const T& value() const& { return check(), value_; }
    T value() && { return check(), std::move(value_); } // may be discarded: "it must work"

    [[nodiscard]] T& operator*() & noexcept { return value_; }
    [[nodiscard]] const T& operator*() const& noexcept { return value_; }
    [[nodiscard]] T&& operator*() && noexcept { return std::move(value_); }
    [[nodiscard]] T* operator->() noexcept { return &value_; }
    [[nodiscard]] const T* operator->() const noexcept { return &value_; }

    [[nodiscard]] T value_or(T other) && {
        return has_value_ ? std::move(value_) : std::move(other);
    }

    // Requires that there is no value.
    [[nodiscard]] const error& why() const noexcept { return error_; }
    // True when it holds an error of this code.
    [[nodiscard]] bool is(errc code) const noexcept { return !has_value_ && error_.code() == code; }

  private:
    void check() const {
        if (!has_value_) throw_error(error_);
    }
    void take(result& other) noexcept {
        if (has_value_)
            std::construct_at(&value_, std::move(other.value_));
        else
            std::construct_at(&error_, other.error_);
    }
    void destroy() noexcept {
        if (has_value_)
            std::destroy_at(&value_);
        else
            std::destroy_at(&error_);
    }

    union {
        T value_;
        error error_;
    };
    bool has_value_;
};

// Success without a value, or an error.
template <>
class [[nodiscard]] result<void> {
  public:
    result() noexcept : result_(done{}) {}
    // NOLINTNEXTLINE(google-explicit-constructor): `return error{…};` is the point
    result(const error& why) noexcept : result_(why) {}

    [[nodiscard]] bool has_value() const noexcept { return result_.has_value(); }
    explicit operator bool() const noexcept { return result_.has_value(); }
    void value() const { static_cast<void>(result_.value()); }
    [[nodiscard]] const error& why() const noexcept { return result_.why(); }
    [[nodiscard]] bool is(errc code) const noexcept { return result_.is(code); }

  private:
    struct done {};
    result<done> result_;
};

} // namespace v1
} // namespace hawser
