"""Which verbs are the same act, and which quantities exclude each other? Tables only; a row more is a case more.

Two questions that each keep an act to themselves, and no row holds both, ask for different things to be
done. A verb that stands in several rows agrees with all of them; verbs of no row are not compared.
"""

from __future__ import annotations

ACTS = """buy purchase order get obtain acquire book reserve, sell, rent lease hire borrow, return refund
    reimburse exchange,
    replace exchange swap substitute change switch, cancel terminate end close quit discontinue stop leave drop
    withdraw
    unsubscribe deactivate delete, pause suspend freeze hold stop, resume reactivate restart unfreeze restore reopen,
    renew extend prolong, create make open setup register start build generate add write, delete remove erase
    clear wipe
    uninstall drop cancel close, change modify update edit alter adjust correct fix switch set reset, reset recover
    restore retrieve change forget, transfer send move wire forward remit copy migrate switch, upgrade update,
    downgrade,
    view see check look find show read track list display monitor watch access, track trace follow locate find check,
    download get save export fetch print, upload submit send attach import add, print, scan, share send give, hide,
    block ban stop prevent, unblock, report complain notify inform tell submit file, dispute appeal contest
    challenge complain,
    apply register enroll join signup request submit file subscribe get, approve accept, pay settle cover, earn
    collect
    accumulate get, redeem spend use apply exchange, install setup add mount attach fit replace, clean wash wipe rinse
    remove, repair fix mend solve troubleshoot, activate enable start register setup, connect pair link join sync,
    disconnect unpair unlink remove, verify confirm validate check prove authenticate, schedule book arrange plan
    reserve make, reschedule move change postpone delay, invite add, publish release deploy push share, write create
    draft compose make, protect secure prevent guard, store keep save preserve freeze, reheat heat warm, cook
    prepare make
    boil fry bake, grow plant, prune trim cut, feed eat give, train teach learn practice, measure weigh
    calculate count,
    compare, translate, pronounce, insure cover, inspect check test examine, test check try, charge, sharpen,
    season, thaw
    defrost, wear use, paint, rotate, merge combine join, split divide separate, sort order, filter, undo revert
    rollback, deploy release publish, compile build, debug troubleshoot fix, subscribe join signup register,
    unlock open
    reset, gift give send, tip, donate give, vote, adopt, marry, divorce, immigrate move, travel go visit,
    drive, park, ride,
    fly travel, swim, ski, hike walk, enter access get go visit reenter join, sort order arrange, find search
    look locate, bring take carry
    pack, rate review evaluate"""
"""English, by stem."""

KOREAN_ACTS = """구매 구입 주문 사 결제 예약 예매, 판매, 대여 렌트 빌리 대출, 반납, 반품 환불 교환 반송 돌리,
    교환 교체 바꾸 변경 갈,
    취소 해지 철회 종료 중단 그만두 탈퇴 해제 끊, 정지 중지 일시정지 멈추 차단, 재개 해제 풀, 연장 갱신 늘리,
    개설 만들 생성 등록 가입 신청
    발급 시작 개통 설정, 삭제 제거 지우 없애 해제, 변경 수정 바꾸 교체 전환 정정 재설정 설정 업데이트, 이체
    송금 보내 이전 옮기 전송, 조회 확인
    보 찾 검색 알아보 추적, 다운로드 받 내려받 저장 출력, 업로드 올리 첨부 제출, 출력 인쇄 뽑 발급 떼, 신고
    접수 제출 문의, 이의신청 항의 정정,
    신청 접수 등록 가입 지원 신고 예약 수강, 납부 내 결제 지불 납입, 적립 모으 쌓, 사용 쓰 이용, 설치 달 장착
    깔, 청소 닦 세척 씻 빨,
    수리 고치 정비, 변경 수정 고치 바꾸, 정렬, 찾 검색, 활성화 켜 작동, 비활성화 끄 꺼 종료 중지, 연결 페어링
    접속 등록, 인증 확인 증명,
    양도 넘기 이전, 재발급 발급 다시,
    보관 저장 두 맡기, 굽 구우,
    찌, 삶 끓이 익히 데치, 튀기, 볶, 데우, 해동 녹이, 얼리 냉동, 심 키우 재배, 비교, 번역, 복구 복원 되돌리,
    배포, 병합 합치, 분할 나누,
    퇴사 그만두 사직, 입사 취업, 승급 업그레이드"""
"""Korean, by stem."""

UNDO = """cancel undo revoke remove stop revert reverse withdraw end quit disable unblock unlock
    취소 해지 해제 철회 풀 풀리 중단 종료 삭제 되돌리 그만"""
"""Acts that take another one back, so that one more of them turns the question round."""

QUANTIFIERS = """all every each entire whole always everyone everything, some certain few several sometimes
    partly, none never
    no, only just, any either, most mostly usually majority, both, half"""
"""Words of one row say the same amount; of different rows, another. "Any" goes with all of them but "all"."""
